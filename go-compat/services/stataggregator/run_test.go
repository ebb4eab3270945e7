package stataggregator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/stataggregator/internal/testfeed"
	"treasurehunt.example/go-compat/services/stataggregator/store"
	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

// wires are the feeds in memory, by name, as connections find them. A feed that
// is not there refuses.
type wires struct {
	mu    sync.Mutex // guards feeds
	feeds map[string]*wire
}

type wire struct {
	listener *bufconn.Listener
	server   *grpc.Server
}

func newWires(t *testing.T) *wires {
	w := &wires{feeds: make(map[string]*wire)}
	t.Cleanup(func() {
		for name := range w.feeds {
			w.cut(name)
		}
	})
	return w
}

// serve puts a feed on its wire.
func (w *wires) serve(name string, feed pb.EventFeedServiceServer) {
	up := &wire{listener: bufconn.Listen(1 << 20), server: grpc.NewServer()}
	pb.RegisterEventFeedServiceServer(up.server, feed)
	go func() { _ = up.server.Serve(up.listener) }() // until it is cut
	w.mu.Lock()
	defer w.mu.Unlock()
	w.feeds[name] = up
}

// cut takes a feed away, with all its connections.
func (w *wires) cut(name string) {
	w.mu.Lock()
	up := w.feeds[name]
	delete(w.feeds, name)
	w.mu.Unlock()
	up.server.Stop()
}

func (w *wires) dial(ctx context.Context, addr string) (net.Conn, error) {
	name, _, _ := strings.Cut(addr, ":")
	w.mu.Lock()
	up := w.feeds[name]
	w.mu.Unlock()
	if up == nil {
		return nil, errors.New("nobody is there")
	}
	return up.listener.DialContext(ctx)
}

// readiness keeps what it is told.
type readiness struct {
	mu      sync.Mutex
	reasons map[string]string // guarded by mu
}

func (r *readiness) Set(part, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reasons[part] = reason
}

func (r *readiness) reason(part string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reasons[part]
}

// bench is an aggregator that a test holds in its hand.
type bench struct {
	*Aggregator
	ready   *readiness
	metrics *prometheus.Registry
	stop    func()
}

func openStore(t testing.TB, dsn string) store.Store {
	t.Helper()
	counted, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := counted.Close(); err != nil {
			t.Error(err)
		}
	})
	return counted
}

// start runs an aggregator of the wires named, until the test ends or stops it.
func start(t *testing.T, wires *wires, counted store.Store, names ...string) *bench {
	t.Helper()
	config := Config{Wait: 5 * time.Second, PullEvery: time.Millisecond, RetryMax: 100 * time.Millisecond, PageMax: 10_000}
	for _, name := range names {
		config.Feeds = append(config.Feeds, name+"=tcp:"+name+":1")
	}
	b := &bench{ready: &readiness{reasons: map[string]string{}}, metrics: prometheus.NewRegistry()}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	var err error
	b.Aggregator, err = New(t.Context(), config, counted, b.ready, log, b.metrics, grpc.WithContextDialer(wires.dial))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		b.Close()
	})
	t.Cleanup(b.stop)
	return b
}

// await polls until the check passes, for longer than anything here takes.
func await(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// counted waits until so many records of all hunts were counted.
func (b *bench) counted(t *testing.T, records int) {
	t.Helper()
	await(t, func() error {
		total := uint64(0)
		hunts, err := b.store.Hunts(t.Context(), "", 1000)
		for _, hunt := range hunts {
			total += hunt.Records
		}
		if total != uint64(records) {
			return fmt.Errorf("%d records counted, want %d (%v)", total, records, err)
		}
		return err
	})
}

// wantFinal holds what is in the store against what the engine ended with.
func wantFinal(t *testing.T, counted store.Store, hunts ...testfeed.Hunt) {
	t.Helper()
	for _, hunt := range hunts {
		got, err := counted.Hunt(t.Context(), hunt.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Whole() || got.Records != uint64(len(hunt.Records)) || got.High != got.Records || got.Disagrees || got.Final == nil {
			t.Errorf("%+v, want %d records", got, len(hunt.Records))
		}
		seats, err := counted.Seats(t.Context(), hunt.ID, 0, 1000)
		if err != nil || len(seats) != len(hunt.Final.GetPlayers()) {
			t.Fatalf("%d players, want %d: %v", len(seats), len(hunt.Final.GetPlayers()), err)
		}
		for i, player := range hunt.Final.GetPlayers() {
			if seat := seats[i]; seat.Player != player.GetPlayerId() || seat.Score != int64(player.GetScore()) || seat.Applied != uint64(player.GetVersion()) {
				t.Errorf("hunt %s: %+v, want score %d and version %d", hunt.ID, seat, player.GetScore(), player.GetVersion())
			}
		}
	}
}

func play(t *testing.T, hunts, commands int) (*rand.Rand, []testfeed.Hunt, []*pb.Record) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var played []testfeed.Hunt
	for range hunts {
		played = append(played, testfeed.Play(t, random.Uint64(), commands))
	}
	return random, played, testfeed.Merge(random, played...)
}

// metric is a metric's value.
func (b *bench) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var values []string
			for _, label := range metric.GetLabel() {
				values = append(values, label.GetValue())
			}
			if family.GetName() == name && fmt.Sprint(values) == fmt.Sprint(labels) {
				return metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
			}
		}
	}
	return 0
}

func TestEveryRecordOfAFeedIsCounted(t *testing.T) {
	_, hunts, records := play(t, 4, 1500)
	feed := &testfeed.Feed{PageMax: 100}
	feed.Append(records...)
	wires := newWires(t)
	wires.serve("go", feed)
	b := start(t, wires, openStore(t, filepath.Join(t.TempDir(), "stats.db")), "go")
	b.counted(t, len(records))
	wantFinal(t, b.store, hunts...)

	more := testfeed.Play(t, 99, 200)
	feed.Append(more.Records...) // wakes a read that waits
	b.counted(t, len(records)+len(more.Records))
	wantFinal(t, b.store, more)
	if got := b.metric(t, "stataggregator_records_total", "go"); got != float64(len(records)+len(more.Records)) {
		t.Errorf("the metric says %v", got)
	}
	for _, kind := range tally.AlarmKinds {
		if got := b.metric(t, "stataggregator_alarms_total", string(kind)); got != 0 {
			t.Errorf("%v alarms of %s", got, kind)
		}
	}
}

// The router's merged feed and the sidecar's own bring the same records.
func TestTwoFeedsWithTheSameRecordsCountThemOnce(t *testing.T) {
	random, hunts, records := play(t, 4, 1500)
	wires := newWires(t)
	for _, name := range []string{"router", "sidecar"} {
		feed := &testfeed.Feed{PageMax: 1 + random.IntN(200)}
		feed.Append(testfeed.Merge(random, hunts...)...) // in an order of its own
		wires.serve(name, feed)
	}
	b := start(t, wires, openStore(t, filepath.Join(t.TempDir(), "stats.db")), "router", "sidecar")
	await(t, func() error {
		if got := b.metric(t, "stataggregator_duplicates_total", "router") + b.metric(t, "stataggregator_duplicates_total", "sidecar"); got != float64(len(records)) {
			return fmt.Errorf("%v duplicates, want %d", got, len(records))
		}
		return nil
	})
	wantFinal(t, b.store, hunts...)
	if got := b.metric(t, "stataggregator_missing_records"); got != 0 {
		t.Errorf("%v records missing", got)
	}
}

func TestAFeedIsReadOnFromItsCursorAfterAStop(t *testing.T) {
	_, hunts, records := play(t, 3, 1000)
	feed := &testfeed.Feed{PageMax: 50}
	wires := newWires(t)
	wires.serve("go", feed)
	path := filepath.Join(t.TempDir(), "stats.db")
	for part := 0; part < len(records); part += 400 {
		end := min(part+400, len(records))
		feed.Append(records[part:end]...) // also while nobody reads
		b := start(t, wires, openStore(t, path), "go")
		b.counted(t, end)
		b.stop()
	}
	counted := openStore(t, path)
	wantFinal(t, counted, hunts...)
	if kept, err := counted.Feed(t.Context(), "go"); err != nil || kept.Duplicates != 0 || kept.Records != uint64(len(records)) {
		t.Errorf("%+v, %v: after a clean stop nothing is read twice", kept, err)
	}
}

func TestAFeedThatIsAwayIsReadOnWhenItIsBack(t *testing.T) {
	_, hunts, records := play(t, 3, 1000)
	feed := &testfeed.Feed{PageMax: 50}
	feed.Append(records[:500]...)
	wires := newWires(t)
	b := start(t, wires, openStore(t, filepath.Join(t.TempDir(), "stats.db")), "go")
	down := func() error {
		if b.metric(t, "stataggregator_feed_failures_total", "Unavailable", "go") == 0 || b.metric(t, "stataggregator_feed_up", "go") != 0 {
			return errors.New("nobody noticed that the feed is away")
		}
		return nil
	}
	await(t, down)
	wires.serve("go", feed)
	b.counted(t, 500)
	wires.cut("go")
	await(t, down)
	feed.Append(records[500:]...)
	wires.serve("go", feed)
	b.counted(t, len(records))
	wantFinal(t, b.store, hunts...)
	if b.metric(t, "stataggregator_feed_up", "go") != 1 {
		t.Error("the feed is not up")
	}
}

// frozen is a feed that never answers, as a process that was stopped.
type frozen struct {
	pb.UnimplementedEventFeedServiceServer
	deadlines chan time.Duration
}

func (f *frozen) ReadRecords(ctx context.Context, _ *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	deadline, _ := ctx.Deadline()
	f.deadlines <- time.Until(deadline)
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAFrozenFeedHoldsNoOtherBackAndIsGivenADeadline(t *testing.T) {
	_, hunts, records := play(t, 2, 800)
	feed, ice := &testfeed.Feed{PageMax: 50}, &frozen{deadlines: make(chan time.Duration, 1)}
	feed.Append(records...)
	wires := newWires(t)
	wires.serve("go", feed)
	wires.serve("sidecar", ice)
	b := start(t, wires, openStore(t, filepath.Join(t.TempDir(), "stats.db")), "go", "sidecar")
	if deadline := <-ice.deadlines; deadline <= 0 || deadline > 35*time.Second {
		t.Errorf("a read may take %s, want a deadline of 35s at most", deadline)
	}
	b.counted(t, len(records))
	wantFinal(t, b.store, hunts...)
	b.stop() // and it does not hold up the end
}

func TestRecordsThatAFeedDroppedAreAnAlarm(t *testing.T) {
	hunt := testfeed.Play(t, 5, 600)
	feed := &testfeed.Feed{}
	feed.Append(hunt.Records...)
	feed.Drop(30)
	wires := newWires(t)
	wires.serve("go", feed)
	b := start(t, wires, openStore(t, filepath.Join(t.TempDir(), "stats.db")), "go")
	b.counted(t, len(hunt.Records)-30)
	for kind, want := range map[tally.AlarmKind]float64{tally.FeedGap: 1, tally.Hole: 1, tally.Disagreement: 0} {
		if got := b.metric(t, "stataggregator_alarms_total", string(kind)); got != want {
			t.Errorf("%v alarms of %s, want %v", got, kind, want)
		}
	}
	if got := b.metric(t, "stataggregator_missing_records"); got != 30 {
		t.Errorf("%v records missing, want 30", got)
	}
	alarms, err := b.store.Alarms(t.Context(), 10)
	if err != nil || len(alarms) != 2 || alarms[1].Kind != tally.FeedGap || alarms[0].Kind != tally.Hole || alarms[0].Hunt != hunt.ID {
		t.Errorf("%+v, %v", alarms, err)
	}

	// Another feed still has them.
	other := &testfeed.Feed{Incarnation: 1}
	other.Append(hunt.Records...)
	b.stop()
	wires.serve("router", other)
	b = start(t, wires, b.store, "go", "router")
	b.counted(t, len(hunt.Records))
	wantFinal(t, b.store, hunt)
	await(t, func() error {
		if got := b.metric(t, "stataggregator_missing_records"); got != 0 {
			return fmt.Errorf("%v records missing, want none", got)
		}
		return nil
	})
}

func TestAnEngineThatBeganAnewIsAGapAndIsReadFromItsBeginning(t *testing.T) {
	before, after := testfeed.Play(t, 21, 300), testfeed.Play(t, 22, 300)
	feed := &testfeed.Feed{}
	feed.Append(before.Records...)
	wires := newWires(t)
	wires.serve("go", feed)
	b := start(t, wires, openStore(t, filepath.Join(t.TempDir(), "stats.db")), "go")
	b.counted(t, len(before.Records))
	wires.cut("go")
	again := &testfeed.Feed{Incarnation: 7}
	again.Append(after.Records...)
	wires.serve("go", again)
	b.counted(t, len(before.Records)+len(after.Records))
	wantFinal(t, b.store, before, after)
	if kept, err := b.store.Feed(t.Context(), "go"); err != nil || kept.Gaps != 1 {
		t.Errorf("%+v, %v, want one gap", kept, err)
	}
}

// flaky is a store that fails, or forgets to say that it did not.
type flaky struct {
	store.Store
	fail func() (before, after error)
}

func (f *flaky) Count(ctx context.Context, feed string, answer *pb.ReadRecordsResponse) (*tally.Page, error) {
	before, after := f.fail()
	if before != nil {
		return nil, before
	}
	page, err := f.Store.Count(ctx, feed, answer)
	if err == nil && after != nil {
		return nil, after
	}
	return page, err
}

func TestAStoreThatFailsMakesItUnreadyAndCostsNoRecord(t *testing.T) {
	random, hunts, records := play(t, 3, 1000)
	full := errors.New("the disk is full")
	var mu sync.Mutex
	failing := true
	counted := &flaky{openStore(t, filepath.Join(t.TempDir(), "stats.db")), func() (before, after error) {
		mu.Lock()
		defer mu.Unlock()
		if failing {
			return full, nil
		}
		if random.IntN(3) == 0 { // it was kept, and nobody was told
			return nil, errors.New("the answer was lost")
		}
		return nil, nil
	}}
	feed := &testfeed.Feed{PageMax: 50}
	feed.Append(records...)
	wires := newWires(t)
	wires.serve("go", feed)
	b := start(t, wires, counted, "go")
	await(t, func() error {
		if reason := b.ready.reason("store for go"); reason != full.Error() {
			return fmt.Errorf("readiness says %q", reason)
		}
		return nil
	})
	mu.Lock()
	failing = false
	mu.Unlock()
	b.counted(t, len(records))
	wantFinal(t, b.store, hunts...)
	await(t, func() error {
		if reason := b.ready.reason("store for go"); reason != "" {
			return fmt.Errorf("readiness still says %q", reason)
		}
		return nil
	})
	if got := testutil.ToFloat64(b.pullers[0].metrics.storeFailures); got == 0 {
		t.Error("no failure was counted")
	}
}

func TestAFeedThatAnswersNothingAtOnceIsNotAskedWithoutPause(t *testing.T) {
	wires := newWires(t)
	feed := &testfeed.Feed{}
	wires.serve("go", feed)
	counted := openStore(t, filepath.Join(t.TempDir(), "stats.db"))
	config := Config{Feeds: []string{"go=tcp:go:1"}, Wait: 0, PullEvery: time.Hour, RetryMax: time.Second, PageMax: 10}
	a, err := New(t.Context(), config, counted, &readiness{reasons: map[string]string{}}, slog.Default(), prometheus.NewRegistry(),
		grpc.WithContextDialer(wires.dial))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if pause := a.pullers[0].turn(t.Context()); feed.Reads() == 0 || pause < 59*time.Minute {
		t.Errorf("after %d reads the next comes in %s", feed.Reads(), pause)
	}
}
