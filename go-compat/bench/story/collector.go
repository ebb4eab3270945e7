package story

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"

	"treasurehunt.example/go-compat/bench/arm"
)

// collected is what the collector of a Go process did in a time.
type collected struct {
	AllocatedBytes float64 `json:"allocated_bytes"`
	Collections    uint64  `json:"collections"`
	// PauseMaxMs is the longest time in which the whole program stood still, and
	// PauseTotalMs all of them. A collection has two.
	PauseMaxMs   float64 `json:"pause_max_ms"`
	PauseTotalMs float64 `json:"pause_total_ms"`
}

// traced lets a Go server write a line a collection into its log. What its admin port
// shows has the longest pause of the last 256 collections, whenever those were.
const traced = "GODEBUG=gctrace=1"

// watched is a Go server whose collector is looked at from here on.
type watched struct {
	serving   *arm.Serving
	allocated float64
	logged    int64 // bytes
}

const allocatedMetric = "go_memstats_alloc_bytes_total"

func watch(ctx context.Context, serving *arm.Serving) (*watched, error) {
	allocated, err := allocatedBy(ctx, serving)
	if err != nil {
		return nil, err
	}
	log, err := os.Stat(serving.LogPath())
	if err != nil {
		return nil, err
	}
	return &watched{serving, allocated, log.Size()}, nil
}

// seen is what happened since.
func (w *watched) seen(ctx context.Context) (collected, error) {
	allocated, err := allocatedBy(ctx, w.serving)
	if err != nil {
		return collected{}, err
	}
	log, err := os.Open(w.serving.LogPath())
	if err != nil {
		return collected{}, err
	}
	defer log.Close()
	if _, err := log.Seek(w.logged, io.SeekStart); err != nil {
		return collected{}, err
	}
	text, err := io.ReadAll(log)
	if err != nil {
		return collected{}, err
	}
	c := pauses(text)
	c.AllocatedBytes = allocated - w.allocated
	return c, nil
}

func allocatedBy(ctx context.Context, serving *arm.Serving) (float64, error) {
	families, err := serving.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	metrics := families[allocatedMetric].GetMetric()
	if len(metrics) != 1 {
		return 0, fmt.Errorf("the server shows no %s", allocatedMetric)
	}
	return metrics[0].GetCounter().GetValue(), nil
}

// collection is a line of gctrace. Of its three times on the clock the first and the last
// are with the program at a standstill.
var collection = regexp.MustCompile(`(?m)^gc \d+ @[\d.]+s \d+%: ([\d.]+)\+[\d.]+\+([\d.]+) ms clock, `)

func pauses(log []byte) (c collected) {
	for _, line := range collection.FindAllSubmatch(log, -1) {
		c.Collections++
		for _, text := range line[1:] {
			pause, err := strconv.ParseFloat(string(text), 64)
			if err != nil {
				panic(fmt.Sprintf("digits and dots of gctrace: %v", err))
			}
			c.PauseMaxMs = max(c.PauseMaxMs, pause)
			c.PauseTotalMs += pause
		}
	}
	return c
}
