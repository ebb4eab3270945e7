package legacy

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"treasurehunt.example/go-compat/internal/filewatch"
	"treasurehunt.example/go-compat/legacy/rules"
)

// FollowRulesets keeps the rulesets of new hunts those of a directory until the
// engine is closed. A good directory takes the place of the last one as a whole,
// and running hunts keep theirs; a bad one changes nothing, and log and metrics
// say so until it is good. Call it once at most. The function that it gives reads
// the directory now, and always says what came of it: it is for SIGHUP. The
// directory "" is none.
func (e *Engine) FollowRulesets(dir string) (reload func()) {
	if dir == "" {
		return func() { e.log.Info("nothing to reload: no directory of rulesets was given") }
	}
	f := &followed{engine: e, dir: dir}
	f.good()
	e.running.Go(func() {
		filewatch.Directory(e.life, e.log, dir, func() { f.look(false) })
	})
	return func() { f.look(true) }
}

// followed is a directory of rulesets that an engine follows.
type followed struct {
	engine *Engine
	dir    string

	mu      sync.Mutex // one look at a time; guards problem
	problem string     // what was wrong at the last look
}

func (f *followed) look(asked bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := *f.engine.rulesets.Load()
	later, err := now.loadAgain(f.dir)
	if err != nil {
		f.bad(err, asked)
		return
	}
	f.good()
	if f.problem != "" {
		f.problem = ""
		f.engine.log.Info("the rulesets on disk are good again", "dir", f.dir)
	}
	added, changed, removed := now.changes(later)
	switch {
	case len(added)+len(changed)+len(removed) > 0:
		f.engine.rulesets.Store(&later)
		f.engine.reloads.results.WithLabelValues("taken").Inc()
		f.engine.log.Info("rulesets reloaded: new hunts use them, running hunts keep theirs", "added", strings.Join(added, ", "),
			"changed", strings.Join(changed, ", "), "removed", strings.Join(removed, ", "))
	case asked:
		f.engine.reloads.results.WithLabelValues("unchanged").Inc()
		f.engine.log.Info("the rulesets on disk are those in use", "dir", f.dir)
	}
}

// good says that what is on disk is, or can be, in use.
func (f *followed) good() {
	f.engine.reloads.failed.Set(0)
	f.engine.reloads.lastGood.Set(float64(f.engine.clock.Wall().Unix()))
}

// bad tells of each problem once, and again to whoever asks.
func (f *followed) bad(err error, asked bool) {
	f.engine.reloads.failed.Set(1)
	if !asked && f.problem == err.Error() {
		return
	}
	f.problem = err.Error()
	f.engine.reloads.results.WithLabelValues("failed").Inc()
	var wrong rules.RulesetErrors
	if !errors.As(err, &wrong) {
		f.engine.log.Error(holds, "problem", err)
		return
	}
	first := wrong[0]
	f.engine.log.Error(holds, "file", first.File, "line", first.Line, "key", first.Key, "problem", first.Problem, "faults", len(wrong))
}

const holds = "the rulesets cannot be reloaded: the last good ones hold"

// changes are the names of what is different in later, ascending.
func (r Rulesets) changes(later Rulesets) (added, changed, removed []string) {
	for _, name := range slices.Sorted(maps.Keys(later)) {
		switch known, has := r[name]; {
		case !has:
			added = append(added, name)
		case known.Hash() != later[name].Hash():
			changed = append(changed, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if _, has := later[name]; !has {
			removed = append(removed, name)
		}
	}
	return added, changed, removed
}

// reloads are the metrics of rulesets that are followed.
type reloads struct {
	results  *prometheus.CounterVec
	failed   prometheus.Gauge
	lastGood prometheus.Gauge
}

func newReloads() reloads {
	return reloads{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricReloads, Help: "Reloads of the rulesets, by what came of them.",
		}, []string{"result"}),
		failed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricReloadFailed, Help: "1 while the rulesets on disk cannot be taken, and the last good ones hold.",
		}),
		lastGood: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: metricLastGood, Help: "When the rulesets on disk were last good, in Unix time; 0 if no directory is followed.",
		}),
	}
}
