package router

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
	"treasurehunt.example/go-compat/router/ledger"
)

// split makes hunts until there is one at each engine.
func (b *bench) split() (atGo, atSidecar string) {
	b.t.Helper()
	b.flag.set(b.t, 0)
	b.mustCreate("at-go")
	b.flag.set(b.t, 100)
	b.mustCreate("at-sidecar")
	return "at-go", "at-sidecar"
}

func TestABatchIsSplitByOwnerAndAnsweredInOrder(t *testing.T) {
	b := newBench(t, 0)
	atGo, atSidecar := b.split()
	malformed := join(atGo)
	malformed.PlayerId = 0
	cmds := []*pb.Command{join(atSidecar), join(atGo), join("nobody-has-it"), malformed, join(atSidecar), {HuntId: "no\nid"}, join(atGo)}
	outcomes, err := b.ApplyBatch(t.Context(), cmds)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"applied", "applied", "unknown_hunt", "invalid player_id", "applied", "invalid hunt_id", "applied"}
	for i, outcome := range outcomes {
		if got := describe(outcome); got != want[i] {
			t.Errorf("command %d: %s; want %s", i, got, want[i])
		}
		if outcome.GetRequestId() != cmds[i].GetRequestId() {
			t.Errorf("command %d is answered with the outcome of another", i)
		}
	}
	for i, cmd := range cmds {
		if cmd.GetEpoch() != 0 {
			t.Errorf("command %d was changed", i)
		}
	}
}

func describe(outcome *pb.Outcome) string {
	if refusal := outcome.GetRefusal(); refusal != nil {
		if refusal.GetReason() == pb.Refusal_REASON_INVALID {
			return "invalid " + refusal.GetDetail()
		}
		return reasonName(refusal.GetReason())
	}
	return verdictName(outcome.GetVerdict())
}

func TestOneEnginesFailureDoesNotSpoilTheOthersOutcomes(t *testing.T) {
	for _, test := range []struct {
		name    string
		failure *playerstate.Failure
		want    string
	}{
		{"away", away, "not_active"},   // surely not applied
		{"cut off", cutOff, "unknown"}, // perhaps applied
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, 0)
			atGo, atSidecar := b.split()
			b.sidecar.Fail(test.failure)
			outcomes, err := b.ApplyBatch(t.Context(), []*pb.Command{join(atGo), join(atSidecar), join(atGo)})
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(describe(outcomes[0]), " ", describe(outcomes[1]), " ", describe(outcomes[2])); got != "applied "+test.want+" applied" {
				t.Error(got)
			}
			_, err = b.ApplyBatch(t.Context(), []*pb.Command{join(atSidecar)}) // nothing else was answered
			wantCode(t, err, codes.Unavailable)
		})
	}
}

func TestABatchOfNoneOrTooManyIsRefusedByName(t *testing.T) {
	b := newBench(t, 0)
	for _, n := range []int{0, playerstate.MaxBatch + 1} {
		_, err := b.ApplyBatch(t.Context(), make([]*pb.Command, n))
		wantCode(t, err, codes.InvalidArgument)
	}
}

func TestExistingHuntsOfASidecarThatIsAwayAnswerUnavailable(t *testing.T) {
	b := newBench(t, 0)
	_, atSidecar := b.split()
	b.sidecar.Fail(away)
	_, err := b.Apply(t.Context(), join(atSidecar))
	wantCode(t, err, codes.Unavailable)
	if playerstate.FateOf(err) != playerstate.FateNotApplied {
		t.Error("it does not say that nothing was applied")
	}
	_, err = b.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: atSidecar})
	wantCode(t, err, codes.Unavailable)
	_, err = b.EndHunt(t.Context(), &pb.EndHuntRequest{HuntId: atSidecar})
	wantCode(t, err, codes.Unavailable)
	if b.legacy.Has(atSidecar) {
		t.Error("the hunt was begun anew in Go")
	}
}

func TestAHuntThatItsOwnerLostIsUnavailableAndNeverEmpty(t *testing.T) {
	b := newBench(t, 0)
	atGo, atSidecar := b.split()
	b.sidecar.Restart()
	calls := map[string]func() error{
		"CreateHunt": func() error { return b.create(atSidecar) },
		"Apply":      func() error { _, err := b.Apply(t.Context(), join(atSidecar)); return err },
		"GetHunt":    func() error { _, err := b.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: atSidecar}); return err },
		"EndHunt":    func() error { _, err := b.EndHunt(t.Context(), &pb.EndHuntRequest{HuntId: atSidecar}); return err },
		"GetPlayer": func() error {
			_, err := b.GetPlayer(t.Context(), &pb.GetPlayerRequest{HuntId: atSidecar, PlayerId: 7})
			return err
		},
	}
	for name, call := range calls {
		if err := call(); codeOf(err) != codes.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	outcomes, err := b.ApplyBatch(t.Context(), []*pb.Command{join(atSidecar), join(atGo)})
	if err != nil || describe(outcomes[0]) != "not_active" || describe(outcomes[1]) != "applied" {
		t.Errorf("batch: %v, %v", outcomes, err)
	}
	if b.sidecar.Has(atSidecar) || b.legacy.Has(atSidecar) {
		t.Error("an empty hunt stands where one was lost")
	}
	_, err = b.GetPlayer(t.Context(), &pb.GetPlayerRequest{HuntId: atGo, PlayerId: 8}) // a player that is unknown is only that
	wantCode(t, err, codes.NotFound)
}

func TestARefusalIsFollowedOnceAndOnlyWhereTheLedgerHasMovedOn(t *testing.T) {
	b := newBench(t, 0)
	atGo, _ := b.split()
	e, _ := b.ledger.Lookup(atGo)
	stale := *e
	stale.Owner, stale.Epoch = ledger.Sidecar, 9 // what a caller looked up before the hunt moved to Go

	refused := answer{outcome: playerstate.Refused(1, &pb.Refusal{Reason: pb.Refusal_REASON_STALE_OWNER})}
	if next := b.movedOn(&stale, refused); next != e {
		t.Errorf("a refusal is followed to %+v; want %+v", next, e)
	}
	if next := b.movedOn(e, refused); next != nil {
		t.Errorf("a refusal by whom the ledger still names is followed to %+v", next)
	}
	rejected := answer{outcome: &pb.Outcome{Verdict: pb.Verdict_VERDICT_REJECTED}}
	if next := b.movedOn(&stale, rejected); next != nil {
		t.Errorf("a rejection is followed to %+v", next)
	}

	own := join(atGo) // a caller's own epoch is the caller's to get right
	own.Epoch = 5
	outcome, err := b.Apply(t.Context(), own)
	if err != nil || describe(outcome) != "stale_epoch" {
		t.Errorf("%v, %v", outcome, err)
	}
}

func TestAnEndedHuntIsClosedAndStillShown(t *testing.T) {
	b := newBench(t, 100)
	b.mustCreate("h")
	for range 2 { // the same again
		if _, err := b.EndHunt(t.Context(), &pb.EndHuntRequest{HuntId: "h"}); err != nil {
			t.Fatal(err)
		}
	}
	if e, _ := b.ledger.Lookup("h"); e.State != ledger.Closed {
		t.Errorf("it is %s", e.State)
	}
	if hunt, err := b.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: "h"}); err != nil || !hunt.GetEnded() {
		t.Errorf("%v, %v", hunt, err)
	}
	b.sidecar.Restart() // after a while its owner forgets it: that is no alarm
	_, err := b.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: "h"})
	wantCode(t, err, codes.NotFound)
	b.mustCreate("h") // its id is not used again
	if b.sidecar.Has("h") {
		t.Error("the id was used again")
	}
}

func TestACloseAnswersWhatIsInHandAndRefusesWhatComes(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bench) {
		b.mustCreate("h")
		held := b.legacy.Hold(playerstatetest.On(playerstatetest.Apply))
		answered, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := b.Apply(context.Background(), join("h"))
			answered <- err
		}()
		synctest.Wait()
		go func() { closed <- b.Router.Close(context.Background()) }()
		synctest.Wait()
		if b.legacy.closed.Load() {
			t.Error("the engine was closed under a call in hand")
		}
		_, err := b.GetHunt(context.Background(), &pb.GetHuntRequest{HuntId: "h"})
		wantCode(t, err, codes.Unavailable)
		held.Release()
		if err := <-answered; err != nil {
			t.Errorf("the call in hand: %v", err)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if !b.legacy.closed.Load() || !b.sidecar.closed.Load() {
			t.Error("an engine was left open")
		}
	})
}

func TestAMalformedCommandIsInvalidWhateverBecameOfItsHunt(t *testing.T) {
	b := newBench(t, 0)
	atGo, _ := b.split()
	b.restart() // which loses it
	cmd := join(atGo)
	cmd.PlayerId = 0
	outcome, err := b.Apply(t.Context(), cmd)
	if err != nil || outcome.GetRefusal().GetReason() != pb.Refusal_REASON_INVALID || outcome.GetRefusal().GetDetail() != "player_id" {
		t.Errorf("%v, %v", outcome, err)
	}
}
