package bots

import (
	"fmt"
	"sync"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// tally counts what the bots were answered. Safe for concurrent use; mu guards
// all fields and is never held over a call.
type tally struct {
	mu        sync.Mutex
	verdicts  map[pb.Verdict]int
	used      map[string]int // power-ups, by name
	failed    int            // calls
	slowest   time.Duration
	huntsOver int
	seated    int
}

func newTally() *tally {
	return &tally{verdicts: make(map[pb.Verdict]int), used: make(map[string]int)}
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

func (t *tally) callFailed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failed++
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
