package stataggregator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/stataggregator/internal/testfeed"
	"treasurehunt.example/go-compat/services/stataggregator/internal/testpostgres"
	"treasurehunt.example/go-compat/services/stataggregator/store"
)

// The server is taken away twice while pages are counted, once without a word, so
// that whether the last page was kept is not known. What comes while it is away waits.
func TestAPostgresThatGoesAwayMakesItUnreadyAndCostsNoRecord(t *testing.T) {
	server := testpostgres.Shared(t)
	counted := openStore(t, server.Schema(t, nil))
	t.Cleanup(func() { // for the tests behind this one, should it fail
		if err := server.Start(); err != nil {
			t.Error(err)
		}
	})
	_, hunts, records := play(t, 3, 1500)
	feed := &testfeed.Feed{PageMax: 10} // many pages, so that there is one in the making
	part := func(of int) int { return of * len(records) / 5 }
	feed.Append(records[:part(2)]...)
	wires := newWires(t)
	wires.serve("go", feed)
	b := start(t, wires, counted, "go")
	seen := func() float64 { return b.metric(t, "stataggregator_records_total", "go") }
	failures := func() float64 { return testutil.ToFloat64(b.pullers[0].metrics.storeFailures) }
	for i, end := range []func() error{server.Stop, server.Crash} {
		await(t, func() error {
			if got, want := seen(), float64(part(1+2*i)); got < want {
				return fmt.Errorf("%v records counted, want %v", got, want)
			}
			return nil
		})
		if err := end(); err != nil {
			t.Fatal(err)
		}
		feed.Append(records[part(2+2*i):part(min(4+2*i, 5))]...)
		failed, reads := failures(), feed.Reads()
		await(t, func() error {
			reason := b.ready.reason("store for go")
			if reason == "" || failures() < failed+3 {
				return fmt.Errorf("readiness says %q after %v failures", reason, failures())
			}
			return nil
		})
		if more := feed.Reads() - reads; more > 1 { // one was on its way
			t.Errorf("the feed was read %d times while nothing could be kept", more)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
	}
	b.counted(t, len(records))
	wantFinal(t, counted, hunts...)
	await(t, func() error {
		if reason := b.ready.reason("store for go"); reason != "" {
			return fmt.Errorf("readiness still says %q", reason)
		}
		return nil
	})
	if kept, err := counted.Feed(t.Context(), "go"); err != nil || kept.Records != uint64(len(records)) || kept.Duplicates != 0 || kept.Gaps != 0 {
		t.Errorf("%+v, %v: the cursor is not of what was counted", kept, err)
	}
}

// hanging is a store that never answers, as a server that was stopped.
type hanging struct{ store.Store }

func (hanging) Cursor(ctx context.Context, _ string) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAStoreThatHangsIsOneThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ready := &readiness{reasons: map[string]string{}}
		config := Config{RetryMax: time.Second, PageMax: 10}
		p := newPuller("go", unread{}, config, hanging{}, ready, slog.Default(), newMetrics(prometheus.NewRegistry(), 0))
		began := time.Now()
		p.turn(t.Context())
		if took, reason := time.Since(began), ready.reason("store for go"); took != storeMax || !strings.Contains(reason, "deadline") {
			t.Errorf("after %s readiness says %q", took, reason)
		}
	})
}

// unread is a feed that nobody may read.
type unread struct{}

func (unread) ReadRecords(context.Context, *pb.ReadRecordsRequest, ...grpc.CallOption) (*pb.ReadRecordsResponse, error) {
	return nil, errors.New("it was read")
}
