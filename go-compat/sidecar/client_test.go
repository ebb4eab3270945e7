package sidecar

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/internal/doctable"
	"treasurehunt.example/go-compat/playerstate"
)

func TestCloseAnswersWhatIsInHandAndRefusesWhatComesLater(t *testing.T) {
	batch, arrived, release := gated()
	c := startFake(t, batch).client(t, Config{})
	ctx := within(t, 2*time.Second)
	answers := make(chan error, 2)
	apply := func(id uint64) { _, err := c.Apply(ctx, dig(id, id)); answers <- err }
	go apply(1)
	<-arrived
	go apply(2)
	queued(t, c, 1)

	done := make(chan error, 1)
	go func() { done <- c.Close(ctx) }()
	await(t, "the lane's closing", func() bool {
		c.lanes[0].mu.Lock()
		defer c.lanes[0].mu.Unlock()
		return c.lanes[0].closed
	})
	_, err := c.Apply(ctx, dig(3, 3))
	fails(t, err, codes.Unavailable, playerstate.FateNotApplied)
	_, err = c.GetHunt(ctx, &pb.GetHuntRequest{HuntId: "h"})
	fails(t, err, codes.Unavailable, playerstate.FateNotApplied)

	close(release)
	for range 2 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestCloseThatRunsOutOfTimeFailsEachCommandWithItsFate(t *testing.T) {
	batch, arrived, _ := gated()
	c := startFake(t, batch).client(t, Config{})
	ctx := within(t, 2*time.Second)
	underWay, waiting := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Apply(ctx, dig(1, 1)); underWay <- err }()
	<-arrived
	go func() { _, err := c.Apply(ctx, dig(2, 2)); waiting <- err }()
	queued(t, c, 1)

	if err := c.Close(within(t, time.Millisecond)); err == nil {
		t.Error("Close says that all was answered")
	}
	fails(t, <-underWay, codes.Unavailable, playerstate.FateUnknown)
	fails(t, <-waiting, codes.Unavailable, playerstate.FateNotApplied)
}

func (f *fakeSidecar) GetHunt(ctx context.Context, _ *pb.GetHuntRequest) (*pb.GetHuntResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (f *fakeSidecar) ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	deadline, _ := ctx.Deadline()
	return &pb.ReadRecordsResponse{Behind: uint64(time.Until(deadline).Milliseconds())}, nil
}

func TestACallWithoutADeadlineGetsTheDefault(t *testing.T) {
	c := startFake(t, nil).client(t, Config{})
	start := time.Now()
	_, err := c.GetHunt(context.Background(), &pb.GetHuntRequest{HuntId: "h"})
	fails(t, err, codes.DeadlineExceeded, playerstate.FateUnknown)
	if took := time.Since(start); took < playerstate.DefaultTimeout || took > playerstate.DefaultTimeout+100*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	reply, err := c.ReadRecords(context.Background(), &pb.ReadRecordsRequest{MaxRecords: 1, WaitMs: 30_000})
	if left := reply.GetBehind(); err != nil || left < 30_000 || left > 30_250 {
		t.Errorf("a read that may wait 30 s was given %d ms, %v", left, err)
	}
}

func TestCallsOverTheirBoundAreRefusedByName(t *testing.T) {
	c := startFake(t, nil).client(t, Config{CallsInFlight: 1})
	ctx, leave := context.WithCancel(within(t, 2*time.Second))
	first := make(chan error, 1)
	go func() { _, err := c.GetHunt(ctx, &pb.GetHuntRequest{HuntId: "h"}); first <- err }()
	await(t, "the first call", func() bool {
		c.calls.mu.Lock()
		defer c.calls.mu.Unlock()
		return c.calls.calls == 1
	})
	_, err := c.GetHunt(ctx, &pb.GetHuntRequest{HuntId: "h"})
	fails(t, err, codes.ResourceExhausted, playerstate.FateNotApplied)
	if !strings.Contains(err.Error(), "CallsInFlight") {
		t.Errorf("%v does not name the limit", err)
	}
	leave()
	<-first
}

func TestAConfigThatCannotWorkIsRefusedByName(t *testing.T) {
	for named, config := range map[string]Config{
		"http:":         {Target: "http://127.0.0.1:80"},
		"unix:":         {Target: "unix:"},
		"socket path":   {Target: "unix:/" + strings.Repeat("x", 107)},
		"tcp:localhost": {Target: "tcp:localhost"},
		"Lanes":         {Target: "tcp:a:1", Lanes: 17},
		"QueueCommands": {Target: "tcp:a:1", QueueCommands: -1},
		"Linger":        {Target: "tcp:a:1", Linger: LingerMax + 1},
		"CallsInFlight": {Target: "tcp:a:1", CallsInFlight: -1},
	} {
		if _, err := Dial(config); err == nil || !strings.Contains(err.Error(), named) {
			t.Errorf("%+v: %v does not name %q", config, err, named)
		}
	}
}

func TestMetricsTellWhatTheClientDid(t *testing.T) {
	c := startFake(t, nil).client(t, Config{})
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	ctx := within(t, time.Second)
	if _, err := c.ApplyBatch(ctx, []*pb.Command{dig(1, 1), dig(2, 2), {}}); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, _ = c.Apply(over, dig(3, 3))

	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, family := range families {
		shown = append(shown, family.GetName())
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(MetricNames)), shown); diff != "" {
		t.Error(diff)
	}
}

func TestEveryMetricHasItsRowInTheDocs(t *testing.T) {
	doctable.Names(t, "../../docs/metrics.md", MetricNames)
}

// In synctest's bubble the clock is the test's own, so that the bound is exact.
func TestALongDeadlineIsCutToWhatTheServerTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ asked, want time.Duration }{
			{0, playerstate.DefaultTimeout}, {time.Second, time.Second}, {time.Hour, callTimeMax},
		} {
			ctx, cancel := context.Background(), context.CancelFunc(func() {})
			if c.asked > 0 {
				ctx, cancel = context.WithTimeout(ctx, c.asked)
			}
			got, stop := bounded(ctx, 0, callTimeMax)
			deadline, ok := got.Deadline()
			if left := time.Until(deadline); !ok || left != c.want {
				t.Errorf("asked for %s, got %s", c.asked, left)
			}
			stop()
			cancel()
		}
	})
}
