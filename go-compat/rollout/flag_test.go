package rollout

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"github.com/open-feature/go-sdk/openfeature/memprovider"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"treasurehunt.example/go-compat/internal/doctable"
	"treasurehunt.example/go-compat/internal/logbook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s", what)
		}
	}
}

func closeAfter(t testing.TB, f *Flag) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := f.Close(ctx); err != nil {
			t.Error(err)
		}
	})
}

// provided is a flag of some other OpenFeature provider.
func provided(t *testing.T, flag memprovider.InMemoryFlag) *Flag {
	t.Helper()
	api := isolated.NewAPI()
	t.Cleanup(func() { _ = api.Shutdown(context.Background()) })
	provider := memprovider.NewInMemoryProvider(map[string]memprovider.InMemoryFlag{DefaultKey: flag})
	if err := api.SetProviderAndWait(context.Background(), provider); err != nil {
		t.Fatal(err)
	}
	f := New(Config{Client: api.NewClient(), Logger: slog.New(slog.DiscardHandler)})
	closeAfter(t, f)
	return f
}

func numbers(state memprovider.State, value any) memprovider.InMemoryFlag {
	return memprovider.InMemoryFlag{Key: DefaultKey, State: state, DefaultVariant: "now", Variants: map[string]any{"now": value}}
}

func TestAnyOpenFeatureProviderGivesThePercentage(t *testing.T) {
	if f := provided(t, numbers(memprovider.Enabled, 12.5)); f.Percent() != 12_500 || f.Err() != nil {
		t.Errorf("%s, %v", f.Percent(), f.Err())
	}
	if f := provided(t, numbers(memprovider.Enabled, "50%")); f.Percent() != 0 || f.Err() == nil {
		t.Errorf("a string gives %s, %v", f.Percent(), f.Err())
	}
}

func TestNoProviderIsALostFlagAndNotZero(t *testing.T) {
	f := New(Config{Client: isolated.NewAPI().NewClient(), Logger: slog.New(slog.DiscardHandler)})
	closeAfter(t, f)
	if f.Percent() != 0 || f.Err() == nil {
		t.Errorf("%s, %v", f.Percent(), f.Err())
	}
}

// fickle is a provider whose state a test turns.
type fickle struct {
	openfeature.NoopProvider
	value  atomic.Int64
	events chan openfeature.Event
}

func (f *fickle) FloatEvaluation(_ context.Context, _ string, _ float64, _ openfeature.FlattenedContext) openfeature.FloatResolutionDetail {
	return openfeature.FloatResolutionDetail{Value: float64(f.value.Load())}
}

func (f *fickle) EventChannel() <-chan openfeature.Event { return f.events }

func TestAProviderThatLostItsSourceIsAnAlarmAndItsValueHolds(t *testing.T) {
	provider := &fickle{events: make(chan openfeature.Event)}
	provider.value.Store(30)
	api := isolated.NewAPI()
	t.Cleanup(func() { _ = api.Shutdown(context.Background()) })
	if err := api.SetProviderAndWait(context.Background(), provider); err != nil {
		t.Fatal(err)
	}
	log, logger := logbook.New()
	f := New(Config{Client: api.NewClient(), Logger: logger})
	closeAfter(t, f)
	if f.Percent() != 30_000 || f.Err() != nil {
		t.Fatalf("%s, %v", f.Percent(), f.Err())
	}

	provider.events <- openfeature.Event{EventType: openfeature.ProviderStale}
	await(t, "the alarm", func() bool { return f.Err() != nil })
	if f.Percent() != 30_000 {
		t.Errorf("it is %s now", f.Percent())
	}
	provider.value.Store(40)
	provider.events <- openfeature.Event{EventType: openfeature.ProviderReady}
	await(t, "the new value", func() bool { return f.Percent() == 40_000 && f.Err() == nil })
	if n := log.Count("level=ERROR"); n != 1 {
		t.Errorf("%d errors were logged", n)
	}
}

func TestWatchersSeeEachChangeOnceAndNoneAfterTheyForgot(t *testing.T) {
	provider := &fickle{events: make(chan openfeature.Event)}
	api := isolated.NewAPI()
	t.Cleanup(func() { _ = api.Shutdown(context.Background()) })
	if err := api.SetProviderAndWait(context.Background(), provider); err != nil {
		t.Fatal(err)
	}
	f := New(Config{Client: api.NewClient(), Logger: slog.New(slog.DiscardHandler)})
	closeAfter(t, f)
	turn := func(percent int64) {
		provider.value.Store(percent)
		provider.events <- openfeature.Event{EventType: openfeature.ProviderConfigChange}
		await(t, "the change", func() bool { return f.Percent() == Percent(percent*stepsPerPercent) })
	}

	changes, forgotten := make(chan [2]Percent, 8), make(chan [2]Percent, 8)
	f.OnChange(func(old, now Percent) { changes <- [2]Percent{old, now} })
	forget := f.OnChange(func(old, now Percent) { forgotten <- [2]Percent{old, now} })
	forget()
	turn(10)
	turn(5)
	for _, want := range [][2]Percent{{0, 10_000}, {10_000, 5_000}} {
		if got := <-changes; got != want {
			t.Errorf("a change of %v; want %v", got, want)
		}
	}
	if len(changes) != 0 || len(forgotten) != 0 {
		t.Error("changes that were none")
	}
}

func TestMetricsShowThePercentageAndTheAlarm(t *testing.T) {
	f := provided(t, numbers(memprovider.Enabled, 101.0))
	want := `
# HELP rollout_changes_total How often the percentage changed.
# TYPE rollout_changes_total counter
rollout_changes_total 0
# HELP rollout_flag_alarms_total How often the flag was lost or malformed.
# TYPE rollout_flag_alarms_total counter
rollout_flag_alarms_total 1
# HELP rollout_flag_lost 1 while the flag is lost or malformed, and the last good percentage holds.
# TYPE rollout_flag_lost gauge
rollout_flag_lost 1
# HELP rollout_percent Percent of new hunts that the sidecar serves.
# TYPE rollout_percent gauge
rollout_percent 0
`
	if err := testutil.CollectAndCompare(f, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestEveryMetricHasItsRowInTheDocs(t *testing.T) {
	doctable.Names(t, "../../docs/metrics.md", MetricNames)
}
