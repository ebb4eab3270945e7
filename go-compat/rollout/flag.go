package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
)

// DefaultKey is the flag's name.
const DefaultKey = "player-state-percent"

// Config says where the flag comes from. A zero field is its default.
type Config struct {
	// Client evaluates the flag. It must be given.
	Client openfeature.IClient
	// Key is the flag's name: by default [DefaultKey].
	Key string
	// Logger gets each change, and each loss once: by default [slog.Default].
	Logger *slog.Logger
	// Poll is how often the flag is evaluated even if its provider says nothing:
	// by default every 10 s. Providers without events depend on it.
	Poll time.Duration
}

// Flag is the percentage as it is now. It is also a [prometheus.Collector] of its
// own metrics. Safe for concurrent use.
type Flag struct {
	config  Config
	metrics metrics
	percent atomic.Uint32
	problem atomic.Pointer[error] // why the value is not the flag's own any more

	wake    chan struct{} // holds a value when the flag may have changed
	stop    context.CancelFunc
	stopped chan struct{}
	release func(context.Context) error // of what WatchFile made

	mu       sync.Mutex // guards watchers; never held while one is called
	watchers []*func(old, now Percent)
}

// New evaluates the flag, and again whenever it changes, until Close. It never
// fails: a flag that cannot be had is 0 %, and [Flag.Err] says why.
func New(config Config) *Flag {
	config.Key = cmp.Or(config.Key, DefaultKey)
	config.Poll = cmp.Or(config.Poll, 10*time.Second)
	config.Logger = cmp.Or(config.Logger, slog.Default())
	ctx, stop := context.WithCancel(context.Background())
	f := &Flag{
		config:  config,
		metrics: newMetrics(),
		wake:    make(chan struct{}, 1),
		stop:    stop,
		stopped: make(chan struct{}),
		release: func(context.Context) error { return nil },
	}
	f.evaluate(ctx)
	go f.run(ctx)
	return f
}

// Percent is the percentage now: the flag's, or the last good one.
func (f *Flag) Percent() Percent { return Percent(f.percent.Load()) }

// Err is nil, or says why the percentage is the last good one and not the flag's.
func (f *Flag) Err() error {
	if problem := f.problem.Load(); problem != nil {
		return *problem
	}
	return nil
}

// OnChange calls watch after each change, one at a time, until forget is called.
// watch must not block: the next change waits for it.
func (f *Flag) OnChange(watch func(old, now Percent)) (forget func()) {
	entry := &watch
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchers = append(f.watchers, entry)
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		kept := make([]*func(old, now Percent), 0, len(f.watchers))
		for _, w := range f.watchers {
			if w != entry {
				kept = append(kept, w)
			}
		}
		f.watchers = kept // a new slice: change may be walking the old one
	}
}

// Close stops evaluating. The percentage stays readable.
func (f *Flag) Close(ctx context.Context) error {
	f.stop()
	select {
	case <-f.stopped:
	case <-ctx.Done():
		return fmt.Errorf("close the flag: %w", ctx.Err())
	}
	return f.release(ctx)
}

// run evaluates whenever the provider says that something happened, or Poll is over.
func (f *Flag) run(ctx context.Context) {
	defer close(f.stopped)
	nudge := func(openfeature.EventDetails) {
		select {
		case f.wake <- struct{}{}:
		default: // one is waiting already
		}
	}
	events := []openfeature.EventType{
		openfeature.ProviderReady, openfeature.ProviderConfigChange, openfeature.ProviderStale, openfeature.ProviderError,
	}
	for _, event := range events {
		f.config.Client.AddHandler(event, &nudge)
		defer f.config.Client.RemoveHandler(event, &nudge)
	}
	poll := time.NewTicker(f.config.Poll)
	defer poll.Stop()
	for {
		f.evaluate(ctx)
		select {
		case <-f.wake:
		case <-poll.C:
		case <-ctx.Done():
			return
		}
	}
}

// evaluate asks the provider once, and takes what it says if it makes sense.
func (f *Flag) evaluate(ctx context.Context) {
	// No percentage is NaN, so NaN shows that the provider had nothing to say.
	details, err := f.config.Client.FloatValueDetails(ctx, f.config.Key, math.NaN(), openfeature.EvaluationContext{})
	if ctx.Err() != nil {
		return // it was closed, which says nothing of the flag
	}
	percent, problem := judge(details, err)
	if problem == nil {
		f.change(percent)
		if f.config.Client.State() == openfeature.StaleState {
			problem = errStale // what it last knew, perhaps for long
		}
	}
	f.tell(problem)
}

var (
	errNothing = errors.New("the provider has no value for it; is a provider set, and does it know the flag?")
	errStale   = errors.New("the provider has lost its source")
)

// judge turns an evaluation into a percentage, or says what is wrong with it.
func judge(details openfeature.FloatEvaluationDetails, err error) (Percent, error) {
	switch {
	case err != nil:
		return 0, err
	case details.Reason == openfeature.DisabledReason:
		return 0, nil
	case math.IsNaN(details.Value):
		return 0, errNothing
	}
	return ParsePercent(details.Value)
}

// change takes a good value, and tells the watchers if it is another.
func (f *Flag) change(percent Percent) {
	old := Percent(f.percent.Swap(uint32(percent)))
	if old == percent {
		return
	}
	f.metrics.changes.Inc()
	f.config.Logger.Info("the percentage changed", "flag", f.config.Key, "old", old, "new", percent)
	f.mu.Lock()
	watchers := f.watchers
	f.mu.Unlock()
	for _, watch := range watchers {
		(*watch)(old, percent)
	}
}

// tell raises the alarm when problem is a new one, and ends it when it is nil.
func (f *Flag) tell(problem error) {
	known := f.Err()
	switch {
	case problem == nil && known == nil:
	case problem == nil:
		f.problem.Store(nil)
		f.config.Logger.Info("the flag is good again", "flag", f.config.Key, "percent", f.Percent())
	case known == nil || known.Error() != problem.Error():
		f.problem.Store(&problem)
		f.metrics.alarms.Inc()
		f.config.Logger.Error("the flag is lost or malformed: the last good percentage holds",
			"flag", f.config.Key, "percent", f.Percent(), "problem", problem)
	}
}
