//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
	"treasurehunt.example/go-compat/services/canary"
	"treasurehunt.example/go-compat/services/localshard"
)

// recoverWithin is what a kill may cost the shard's hunts.
const recoverWithin = 10 * time.Second

// crashSidecar kills the sidecar and has it come back on the same data, with its hunts.
func crashSidecar(t *testing.T, shard *localshard.Shard) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), recoverWithin)
	defer cancel()
	if err := shard.Sidecar.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := shard.Sidecar.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := shard.AwaitClaims(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestAnsweredMeansKeptOverKillsUnderPlay is what a crowd of bots was answered, held
// against what the aggregator read from the feed of a sidecar that was killed all the
// time. The bots keep the account; nobody under test does.
func TestAnsweredMeansKeptOverKillsUnderPlay(t *testing.T) {
	t.Parallel()
	config := localshard.Config{Percent: 100, Args: quickHunts}
	shard := startShard(t, config)
	bots := startCrowd(t, shard, config, 200)
	kills := 2
	if *long {
		kills = 10
	}
	router := canary.Client{Base: "http://" + shard.Matchmaker.Admin}
	hunts := 0
	for range kills {
		time.Sleep(2 * time.Second) // they play at it
		status, err := router.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hunts += status.HuntsOf(ledger.Sidecar)
		crashSidecar(t, shard)
	}
	if hunts == 0 {
		t.Fatal("the sidecar had no hunts when it was killed: the test shows nothing")
	}
	report := bots.finish(t)
	if report.FailedCalls == 0 {
		t.Error("no call failed: nobody played while the sidecar was away, and the test shows nothing")
	}
	if report.Unheard > 0 {
		t.Errorf("%d commands were never answered, though their hunts came back", report.Unheard)
	}
	wantClean(t, shard, report)
}

// writer sends one player's commands one by one, each until it is answered, and keeps
// what it was answered.
type writer struct {
	hunt    string
	player  uint64
	answers map[uint64]uint64 // request → the sequence at which it was applied
}

// write applies commands until stop is closed.
func (w *writer) write(t *testing.T, router playerstate.Commander, stop <-chan struct{}) {
	for request := uint64(1); ; request++ {
		select {
		case <-stop:
			return
		default:
		}
		sequence, err := w.until(t.Context(), router, request)
		if err != nil {
			t.Errorf("%s, request %d: %v", w.hunt, request, err)
			return
		}
		w.answers[request] = sequence
	}
}

// until asks under the same request_id until the command is known to be applied.
func (w *writer) until(ctx context.Context, router playerstate.Commander, request uint64) (sequence uint64, err error) {
	err = localshard.Await(recoverWithin, func() error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		outcome, err := router.Apply(ctx, &pb.Command{
			HuntId: w.hunt, PlayerId: w.player, RequestId: request, Action: &pb.Command_Join{Join: &pb.Join{}},
		})
		if err != nil {
			return err
		}
		switch outcome.GetVerdict() {
		case pb.Verdict_VERDICT_APPLIED, pb.Verdict_VERDICT_DUPLICATE:
			sequence = outcome.GetSequence()
			return nil
		}
		return fmt.Errorf("%v", outcome)
	})
	return sequence, err
}

// TestEveryAnsweredCommandIsInTheRecordsOnceAfterKills writes down each answer here and
// reads the sidecar's feed from its beginning afterwards: each request is there once, at
// the sequence that was answered, in an order without a gap, and each kill is a change
// of owner.
func TestEveryAnsweredCommandIsInTheRecordsOnceAfterKills(t *testing.T) {
	t.Parallel()
	shard := startShard(t, localshard.Config{Percent: 100})
	router := dial(t, "tcp:"+shard.Router)
	kills := 2
	if *long {
		kills = 10
	}
	writers := make([]*writer, 16)
	for i := range writers {
		writers[i] = &writer{hunt: fmt.Sprintf("kept-%d", i%4), player: uint64(i + 1), answers: map[uint64]uint64{}}
		createHunt(t, router, writers[i].hunt)
	}
	stop := make(chan struct{})
	var writing sync.WaitGroup
	for _, w := range writers {
		writing.Go(func() { w.write(t, router, stop) })
	}
	for range kills {
		time.Sleep(500 * time.Millisecond) // they write
		crashSidecar(t, shard)
	}
	time.Sleep(500 * time.Millisecond)
	close(stop)
	writing.Wait()

	records := allRecords(t, dial(t, shard.SidecarSocket))
	answered := 0
	for _, w := range writers {
		answered += len(w.answers)
		w.want(t, records[w.hunt])
	}
	for hunt, story := range records {
		wantUnbroken(t, hunt, story, kills)
	}
	if answered < 100*kills {
		t.Errorf("only %d commands were answered: the test shows little", answered)
	}
	t.Logf("%d commands answered over %d kills", answered, kills)
}

// want holds what this writer was answered against a hunt's records.
func (w *writer) want(t *testing.T, story []*pb.Record) {
	t.Helper()
	applied := map[uint64]uint64{}
	for _, record := range story {
		cmd := record.GetApplied().GetCommand()
		if cmd.GetPlayerId() != w.player {
			continue
		}
		if _, twice := applied[cmd.GetRequestId()]; twice {
			t.Errorf("%s, player %d: request %d was applied twice", w.hunt, w.player, cmd.GetRequestId())
		}
		applied[cmd.GetRequestId()] = record.GetSequence()
	}
	for request, sequence := range w.answers {
		if applied[request] != sequence {
			t.Errorf("%s, player %d: request %d was answered at sequence %d, and is at %d (0: lost)", w.hunt, w.player, request, sequence, applied[request])
		}
	}
	if len(applied) != len(w.answers) {
		t.Errorf("%s, player %d: %d applied, %d answered", w.hunt, w.player, len(applied), len(w.answers))
	}
}

func wantUnbroken(t *testing.T, hunt string, story []*pb.Record, kills int) {
	t.Helper()
	changes, epoch := 0, uint64(0)
	for i, record := range story {
		if record.GetSequence() != uint64(i+1) {
			t.Fatalf("%s: record %d is at sequence %d", hunt, i+1, record.GetSequence())
		}
		if record.GetOwnerChanged() != nil {
			changes++
		} else if i > 0 && record.GetEpoch() != epoch {
			t.Errorf("%s: epoch %d begins at sequence %d with no change of owner", hunt, record.GetEpoch(), record.GetSequence())
		}
		if record.GetEpoch() < epoch {
			t.Errorf("%s: epoch %d after %d", hunt, record.GetEpoch(), epoch)
		}
		epoch = record.GetEpoch()
	}
	if changes != kills {
		t.Errorf("%s: %d changes of owner in %d kills", hunt, changes, kills)
	}
}

// allRecords reads a feed from its beginning, by hunt.
func allRecords(t *testing.T, feed playerstate.Feeder) map[string][]*pb.Record {
	t.Helper()
	records := map[string][]*pb.Record{}
	var cursor []byte
	for {
		page, err := feed.ReadRecords(t.Context(), &pb.ReadRecordsRequest{Cursor: cursor, MaxRecords: playerstate.MaxReadRecords})
		if err != nil {
			t.Fatal(err)
		}
		if page.GetGap() {
			t.Fatal("the feed has a gap")
		}
		for _, record := range page.GetRecords() {
			records[record.GetHuntId()] = append(records[record.GetHuntId()], record)
		}
		if len(page.GetRecords()) == 0 {
			return records
		}
		cursor = page.GetCursor()
	}
}

func TestASidecarThatComesBackWithoutItsDataLeavesItsHuntsForRepair(t *testing.T) {
	t.Parallel()
	shard := startShard(t, localshard.Config{Percent: 100})
	router := dial(t, "tcp:"+shard.Router)
	createHunt(t, router, "gone")
	join(t, router, "gone", 1, 1)
	if err := shard.Sidecar.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := shard.WipeSidecarData(); err != nil {
		t.Fatal(err)
	}
	restart(t, shard.Sidecar)
	operators := canary.Client{Base: "http://" + shard.Matchmaker.Admin}
	err := localshard.Await(recoverWithin, func() error {
		missing, err := operators.Missing(t.Context())
		if err == nil && (len(missing) != 1 || missing[0].HuntID != "gone") {
			return fmt.Errorf("missing: %+v", missing)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wantUnavailable(t, router, "gone")
	if _, err := router.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: "gone", Settings: settings}); err == nil {
		t.Error("a CreateHunt of it was answered yes")
	}
	if holds(t, dial(t, shard.SidecarSocket), "gone") {
		t.Error("an empty hunt stands where one was lost")
	}
	if err := operators.Lose(t.Context(), "gone", "its disk was wiped"); err != nil {
		t.Fatal(err)
	}
	if missing, err := operators.Missing(t.Context()); err != nil || len(missing) != 0 {
		t.Errorf("%v, %v", missing, err)
	}
}
