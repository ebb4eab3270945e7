package demo

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// table shows how both engines do, refreshed in place on a terminal, and as a
// block now and then elsewhere. Not safe for concurrent use.
type table struct {
	out      io.Writer
	terminal bool
	drawn    int // lines to go up again
}

// draw shows what happened between two readings.
func (t *table) draw(headline string, earlier, later *sample) {
	lines := render(headline, earlier, later)
	if t.terminal && t.drawn > 0 {
		fmt.Fprintf(t.out, "\x1b[%dA\x1b[J", t.drawn)
	}
	fmt.Fprintln(t.out, strings.Join(lines, "\n"))
	t.drawn = len(lines)
}

// keep leaves what is drawn where it is.
func (t *table) keep() { t.drawn = 0 }

func render(headline string, earlier, later *sample) []string {
	lines := []string{
		headline,
		fmt.Sprintf("  %-8s %7s %12s %7s %10s %10s %9s", "engine", "hunts", "commands/s", "share", "p50", "p99", "refused"),
	}
	seconds := later.at.Sub(earlier.at).Seconds()
	total := later.commands() - earlier.commands()
	for _, name := range slices.Sorted(maps.Keys(later.engines)) {
		now, then := later.engines[name], earlier.engine(name)
		if now.hunts == 0 && now.commands == 0 && now.refused == 0 {
			continue
		}
		done := now.commands - then.commands
		lines = append(lines, fmt.Sprintf("  %-8s %7.0f %12.0f %6.0f%% %10s %10s %9.0f",
			name, now.hunts, done/seconds, 100*done/max(total, 1),
			latency(quantile(0.50, then.buckets, now.buckets)),
			latency(quantile(0.99, then.buckets, now.buckets)), now.refused))
	}
	return lines
}

// latency prints a bucket's bound.
func latency(seconds float64) string {
	switch {
	case math.IsNaN(seconds):
		return "–"
	case math.IsInf(seconds, 1):
		return "> 1 s"
	}
	return "≤ " + time.Duration(seconds*float64(time.Second)).Round(10*time.Microsecond).String()
}
