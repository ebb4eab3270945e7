package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"

	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"golang.org/x/sys/unix"

	"treasurehunt.example/go-compat/legacy"

	"treasurehunt.example/go-compat/bench/crowd"
	"treasurehunt.example/go-compat/bench/load"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/sidecar"
)

func cpuOf(pid int) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(int32((^pid)<<3|2), &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}
func own() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

type nobody struct{}

func (nobody) CreateHunt(context.Context, *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	return nil, nil
}

var applied = &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED}

func (nobody) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) { return applied, nil }

func batches(c *sidecar.Client) (n uint64, sum float64) {
	if c == nil {
		return 1, 1
	}
	ch := make(chan prometheus.Metric, 100)
	c.Collect(ch)
	close(ch)
	for m := range ch {
		var d dto.Metric
		m.Write(&d)
		if d.Histogram != nil {
			return d.Histogram.GetSampleCount(), d.Histogram.GetSampleSum()
		}
	}
	return
}

type unary struct{ c pb.PlayerStateServiceClient }

func main() {
	target := flag.String("target", "", "")
	pid := flag.Int("pid", 0, "")
	callers := flag.Int("callers", 128, "")
	length := flag.Duration("length", 3*time.Second, "")
	tick := flag.Int("tick", 0, "")
	prof := flag.String("prof", "", "")
	flag.Parse()
	ctx := context.Background()
	var client crowd.Engine
	var sc *sidecar.Client
	switch *target {
	case "go":
		client = legacy.New(legacy.Config{Logger: slog.New(slog.DiscardHandler), Claim: legacy.ClaimAuto})
		*pid = os.Getpid()
	case "nobody":
		client = nobody{}
		*pid = os.Getpid()
	default:
		var err error
		sc, err = sidecar.Dial(sidecar.Config{Target: *target})
		if err != nil {
			panic(err)
		}
		client = sc
	}
	c := crowd.New(1, 64, 250)
	if err := c.SitDown(ctx, client); err != nil {
		panic(err)
	}
	_ = tick
	sends := c.Callers(client, *callers)
	if _, err := load.Closed(ctx, sends, 0, 500*time.Millisecond); err != nil {
		panic(err)
	}
	if *prof != "" {
		f, _ := os.Create(*prof)
		pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	var m0, m1 runtime.MemStats
	runtime.ReadMemStats(&m0)
	n0, b0 := batches(sc)
	s0, o0, t0 := cpuOf(*pid), own(), time.Now()
	r, err := load.Closed(ctx, sends, 0, *length)
	if err != nil {
		panic(err)
	}
	s1, o1, t1 := cpuOf(*pid), own(), time.Now()
	runtime.ReadMemStats(&m1)
	n1, b1 := batches(sc)
	n := float64(r.Answered())
	fmt.Printf("rate=%.0f/s server=%.3fus client=%.3fus allocs=%.2f bytes=%.0f errors=%d batch=%.1f\n", n/t1.Sub(t0).Seconds(), float64((s1-s0).Nanoseconds())/n/1e3, float64((o1-o0).Nanoseconds())/n/1e3,
		float64(m1.Mallocs-m0.Mallocs)/n, float64(m1.TotalAlloc-m0.TotalAlloc)/n, r.Failed(), (b1-b0)/float64(n1-n0))
}
