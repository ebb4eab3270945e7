package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/open-feature/go-sdk/openfeature"

	"treasurehunt.example/go-compat/internal/filewatch"
)

const fileBytesMax = 1 << 20

// FileProvider is an OpenFeature provider of one number out of a file in flagd's
// format, which it watches. While the file is bad its evaluations are errors; it
// keeps no last good value, for [Flag] does so for every provider. An evaluation
// is one atomic load. Safe for concurrent use.
type FileProvider struct {
	path    string
	key     string
	log     *slog.Logger
	loaded  atomic.Pointer[loaded]
	events  chan openfeature.Event
	stop    context.CancelFunc
	running sync.WaitGroup
}

// loaded is what the file last said: a number, or what is wrong with it.
type loaded struct {
	number number
	err    error
}

var (
	_ openfeature.FeatureProvider = (*FileProvider)(nil)
	_ openfeature.StateHandler    = (*FileProvider)(nil)
	_ openfeature.EventHandler    = (*FileProvider)(nil)
)

// NewFileProvider provides the flag key out of the file at path. OpenFeature
// starts and stops it. It logs with [slog.Default] if the file cannot be watched.
func NewFileProvider(path, key string) *FileProvider {
	return newFileProvider(path, key, slog.Default())
}

func newFileProvider(path, key string, log *slog.Logger) *FileProvider {
	p := &FileProvider{path: path, key: key, log: log, events: make(chan openfeature.Event)}
	p.loaded.Store(&loaded{err: errNotRead})
	return p
}

var errNotRead = errors.New("the file was not read yet")

// Init implements [openfeature.StateHandler]: it reads the file and begins to
// watch it. The error of a bad file is not the end: the file may become good.
func (p *FileProvider) Init(openfeature.EvaluationContext) error {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	now := p.load()
	p.loaded.Store(now)
	p.running.Go(func() {
		filewatch.Directory(ctx, p.log, filepath.Dir(p.path), func() { p.reload(ctx) })
	})
	return now.err
}

// Shutdown implements [openfeature.StateHandler].
func (p *FileProvider) Shutdown() {
	if p.stop != nil {
		p.stop()
	}
	p.running.Wait()
}

// EventChannel implements [openfeature.EventHandler].
func (p *FileProvider) EventChannel() <-chan openfeature.Event { return p.events }

// Metadata implements [openfeature.FeatureProvider].
func (p *FileProvider) Metadata() openfeature.Metadata {
	return openfeature.Metadata{Name: "flagd-format file"}
}

// Hooks implements [openfeature.FeatureProvider]: there are none.
func (p *FileProvider) Hooks() []openfeature.Hook { return nil }

func (p *FileProvider) load() *loaded {
	text, err := filewatch.Read(p.path, fileBytesMax)
	if err != nil {
		return &loaded{err: err}
	}
	number, err := parseFlagd(text, p.key)
	if err != nil {
		return &loaded{err: fmt.Errorf("%s: %w", p.path, err)}
	}
	return &loaded{number: number}
}

// reload reads the file again, and tells OpenFeature what became of it.
func (p *FileProvider) reload(ctx context.Context) {
	now := p.load()
	before := p.loaded.Swap(now)
	switch {
	case now.err != nil:
		if before.err == nil || before.err.Error() != now.err.Error() {
			p.emit(ctx, openfeature.ProviderError, now.err.Error())
		}
		return
	case before.err != nil:
		p.emit(ctx, openfeature.ProviderReady, "the file is good")
	}
	if before.number != now.number {
		p.emit(ctx, openfeature.ProviderConfigChange, "the file changed")
	}
}

// emit waits for OpenFeature to take the event, as long as this provider is up.
func (p *FileProvider) emit(ctx context.Context, kind openfeature.EventType, message string) {
	event := openfeature.Event{
		ProviderName: p.Metadata().Name,
		EventType:    kind,
		ProviderEventDetails: openfeature.ProviderEventDetails{
			Message:     message,
			FlagChanges: []string{p.key},
		},
	}
	select {
	case p.events <- event:
	case <-ctx.Done():
	}
}

// resolve answers an evaluation, and whether the file's number is to be used.
func (p *FileProvider) resolve(flag string) (number, openfeature.ProviderResolutionDetail) {
	if flag != p.key {
		return number{}, failed(openfeature.NewFlagNotFoundResolutionError(fmt.Sprintf("this provider has only the flag %q", p.key)))
	}
	now := p.loaded.Load()
	switch {
	case now.err != nil:
		return number{}, failed(openfeature.NewParseErrorResolutionError(now.err.Error()))
	case now.number.disabled:
		return now.number, openfeature.ProviderResolutionDetail{Reason: openfeature.DisabledReason}
	}
	return now.number, openfeature.ProviderResolutionDetail{Reason: openfeature.StaticReason, Variant: now.number.variant}
}

func failed(err openfeature.ResolutionError) openfeature.ProviderResolutionDetail {
	return openfeature.ProviderResolutionDetail{ResolutionError: err, Reason: openfeature.ErrorReason}
}

// FloatEvaluation implements [openfeature.FeatureProvider].
func (p *FileProvider) FloatEvaluation(_ context.Context, flag string, defaultValue float64, _ openfeature.FlattenedContext) openfeature.FloatResolutionDetail {
	number, detail := p.resolve(flag)
	if detail.Reason != openfeature.StaticReason {
		return openfeature.FloatResolutionDetail{Value: defaultValue, ProviderResolutionDetail: detail}
	}
	return openfeature.FloatResolutionDetail{Value: number.value, ProviderResolutionDetail: detail}
}

// IntEvaluation implements [openfeature.FeatureProvider]. A number with a fraction
// is a type mismatch.
func (p *FileProvider) IntEvaluation(_ context.Context, flag string, defaultValue int64, _ openfeature.FlattenedContext) openfeature.IntResolutionDetail {
	number, detail := p.resolve(flag)
	whole := int64(number.value)
	if detail.Reason == openfeature.StaticReason && float64(whole) != number.value {
		detail = failed(openfeature.NewTypeMismatchResolutionError(fmt.Sprintf("%v is no whole number", number.value)))
	}
	if detail.Reason != openfeature.StaticReason {
		return openfeature.IntResolutionDetail{Value: defaultValue, ProviderResolutionDetail: detail}
	}
	return openfeature.IntResolutionDetail{Value: whole, ProviderResolutionDetail: detail}
}

// BooleanEvaluation implements [openfeature.FeatureProvider]: no flag here is a boolean.
func (p *FileProvider) BooleanEvaluation(_ context.Context, flag string, defaultValue bool, _ openfeature.FlattenedContext) openfeature.BoolResolutionDetail {
	return openfeature.BoolResolutionDetail{Value: defaultValue, ProviderResolutionDetail: p.mismatch(flag)}
}

// StringEvaluation implements [openfeature.FeatureProvider]: no flag here is a string.
func (p *FileProvider) StringEvaluation(_ context.Context, flag string, defaultValue string, _ openfeature.FlattenedContext) openfeature.StringResolutionDetail {
	return openfeature.StringResolutionDetail{Value: defaultValue, ProviderResolutionDetail: p.mismatch(flag)}
}

// ObjectEvaluation implements [openfeature.FeatureProvider]: no flag here is an object.
func (p *FileProvider) ObjectEvaluation(_ context.Context, flag string, defaultValue any, _ openfeature.FlattenedContext) openfeature.InterfaceResolutionDetail {
	return openfeature.InterfaceResolutionDetail{Value: defaultValue, ProviderResolutionDetail: p.mismatch(flag)}
}

func (p *FileProvider) mismatch(flag string) openfeature.ProviderResolutionDetail {
	_, detail := p.resolve(flag)
	if detail.Reason == openfeature.ErrorReason {
		return detail
	}
	return failed(openfeature.NewTypeMismatchResolutionError(fmt.Sprintf("flag %q is a number", flag)))
}
