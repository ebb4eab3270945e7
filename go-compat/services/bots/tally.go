package bots

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// tally counts what the bots were answered. Safe for concurrent use; mu guards
// all fields and is never held over a call.
type tally struct {
	log *slog.Logger

	mu        sync.Mutex
	verdicts  map[pb.Verdict]int
	used      map[string]int // power-ups, by name
	failed    int            // calls
	slowest   time.Duration
	huntsOver int
	seated    int
}

func newTally(log *slog.Logger) *tally {
	return &tally{log: log, verdicts: make(map[pb.Verdict]int), used: make(map[string]int)}
}

func (t *tally) outcome(cmd *pb.Command, outcome *pb.Outcome, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.slowest = max(t.slowest, took)
	t.verdicts[outcome.GetVerdict()]++
	if use := cmd.GetUsePowerUp(); use != nil && outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED {
		t.used[use.GetPowerUp()]++
	}
}

// callFailed counts a call, and tells of the first: the others are likely to have
// failed like it, and there may be very many.
func (t *tally) callFailed(err error) {
	t.mu.Lock()
	t.failed++
	first := t.failed == 1
	t.mu.Unlock()
	if first {
		t.log.Warn("a call failed, the first one; its command is asked for again under the same request_id", "error", err)
	}
}

func (t *tally) sat(players int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seated += players
}

func (t *tally) huntOver() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.huntsOver++
}

func (t *tally) failedCalls() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// line is the progress line.
func (t *tally) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d playing, %d hunts over, %d applied, %d rejected, %d refused, %d failed calls, %d of the power-ups used, slowest %s",
		t.seated, t.huntsOver,
		t.verdicts[pb.Verdict_VERDICT_APPLIED]+t.verdicts[pb.Verdict_VERDICT_DUPLICATE],
		t.verdicts[pb.Verdict_VERDICT_REJECTED], t.verdicts[pb.Verdict_VERDICT_REFUSED],
		t.failed, len(t.used), t.slowest.Round(time.Millisecond))
}
