package stataggregator

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/stataggregator/internal/testfeed"
	"treasurehunt.example/go-compat/services/stataggregator/internal/testpostgres"
	"treasurehunt.example/go-compat/services/stataggregator/store"
)

// victimFeed and victimStore make this test program an aggregator, to be killed.
const (
	victimFeed  = "STATAGGREGATOR_TEST_FEED"
	victimStore = "STATAGGREGATOR_TEST_STORE"
)

func TestMain(m *testing.M) {
	if os.Getenv(victimFeed) != "" {
		if err := beVictim(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1) // it is never done
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		testpostgres.Close()
		os.Exit(code)
	}))
}

func beVictim() error {
	ctx := context.Background()
	counted, err := store.Open(ctx, os.Getenv(victimStore))
	if err != nil {
		return err
	}
	config := Config{Feeds: []string{"go=unix:" + os.Getenv(victimFeed)}, Wait: time.Second, RetryMax: time.Second, PageMax: 20}
	a, err := New(ctx, config, counted, &readiness{reasons: map[string]string{}}, slog.Default(), prometheus.NewRegistry())
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// However an aggregator dies, between a page's arrival and its commit too: what
// it had counted is there, and what it had not is read again.
func TestKilledAtAnyMomentItMissesNothingAndCountsNothingTwice(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { killed(t, filepath.Join(t.TempDir(), "stats.db")) })
	t.Run("postgres", func(t *testing.T) { killed(t, testpostgres.Shared(t).Schema(t, nil)) })
}

func killed(t *testing.T, dsn string) {
	_, hunts, records := play(t, 3, 2000)
	feed := &testfeed.Feed{}
	feed.Append(records...)
	socket := filepath.Join(t.TempDir(), "feed.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterEventFeedServiceServer(server, feed)
	go func() { _ = server.Serve(listener) }() // until it is stopped
	t.Cleanup(server.Stop)

	const kills = 8
	for range kills {
		victim := exec.Command(os.Args[0])
		victim.Env = append(os.Environ(), victimFeed+"="+socket, victimStore+"="+dsn)
		victim.Stderr = t.Output()
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		reads := feed.Reads() + 1 + rand.IntN(8)
		await(t, func() error {
			if got := feed.Reads(); got < reads {
				return fmt.Errorf("%d reads, want %d", got, reads)
			}
			return nil
		})
		time.Sleep(time.Duration(rand.IntN(8000)) * time.Microsecond) // anywhere in a turn
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait() // it was killed
	}

	counted := openStore(t, dsn)
	kept, err := counted.Feed(t.Context(), "go")
	if err != nil || kept.Records == 0 || kept.Records == uint64(len(records)) {
		t.Fatalf("%d of %d records before the last start (%v): the kills showed nothing", kept.Records, len(records), err)
	}
	t.Logf("%d of %d records were counted by %d aggregators that were killed", kept.Records, len(records), kills)
	wires := newWires(t)
	wires.serve("go", feed)
	b := start(t, wires, counted, "go")
	b.counted(t, len(records))
	wantFinal(t, counted, hunts...)
	if kept, err = counted.Feed(t.Context(), "go"); err != nil || kept.Duplicates != 0 || kept.Gaps != 0 {
		t.Errorf("%+v, %v: a page whose cursor was kept came again", kept, err)
	}
}
