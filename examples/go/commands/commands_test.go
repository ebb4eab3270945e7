package commands

import (
	"context"
	"testing"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy"
	"treasurehunt.example/go-compat/playerstate"
)

const (
	hunt   = "the-hunt"
	player = 7
)

// startHunt gives an engine in this process, with a hunt that the player has joined
// under request id 1.
func startHunt(t *testing.T) playerstate.Engine {
	t.Helper()
	engine := legacy.New(legacy.Config{Claim: legacy.ClaimAuto})
	t.Cleanup(func() {
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	_, err := engine.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: hunt, Settings: &pb.HuntSettings{
		Seed: 7, Width: 16, Height: 16, MaxPlayers: 10, DurationMs: 600_000,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := apply(t, engine, 1); got.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		t.Fatal(got)
	}
	return engine
}

// join is the command of these tests: applied again and again, it changes only the version.
func join(request uint64) *pb.Command {
	return &pb.Command{HuntId: hunt, PlayerId: player, RequestId: request, Action: &pb.Command_Join{Join: &pb.Join{}}}
}

func apply(t *testing.T, engine playerstate.Commander, request uint64) *pb.Outcome {
	t.Helper()
	outcome, err := engine.Apply(t.Context(), join(request))
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func send(t *testing.T, engine playerstate.Commander, ids *playerstate.RequestIDs) *pb.Outcome {
	t.Helper()
	outcome, err := Send(t.Context(), engine, ids, join(0))
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func TestServicesThatServeAPlayerOneAfterTheOtherNeedNotTalk(t *testing.T) {
	engine := startHunt(t)
	lobby, arena := playerstate.NewRequestIDs(), playerstate.NewRequestIDs()
	for range 3 { // there and back: each goes on above the other
		for _, ids := range []*playerstate.RequestIDs{lobby, arena} {
			for range 5 {
				if got := send(t, engine, ids); got.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
					t.Fatal(got)
				}
			}
		}
	}
}

func TestAServiceThatCountsFromOneIsRefused(t *testing.T) {
	engine := startHunt(t)
	ids := playerstate.NewRequestIDs()
	for range 4 { // as many as an engine remembers of a player
		send(t, engine, ids)
	}
	if got := apply(t, engine, 2); !tooOld(got) {
		t.Errorf("a counter of its own, behind ids made from the time: %v", got)
	}
}

func TestOfTwoServicesAtOnceTheSlowerSendsAgainUnderANewID(t *testing.T) {
	engine := startHunt(t)
	fast, slow := playerstate.NewRequestIDs(), playerstate.NewRequestIDs()
	overtaken := &late{Commander: engine, before: func() {
		for range 4 {
			send(t, engine, fast)
		}
	}}
	if got := send(t, overtaken, slow); got.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		t.Errorf("overtaken by four commands of another service: %v", got)
	}
	if overtaken.calls < 2 {
		t.Error("the first try was taken: the test shows nothing")
	}
}

func TestAnIDThatAnotherServiceUsedIsNotTakenForOurs(t *testing.T) {
	engine := startHunt(t)
	ids, other := playerstate.NewRequestIDs(), uint64(0)
	used := &late{Commander: engine}
	used.before = func() { other = used.cmd.GetRequestId(); apply(t, engine, other) }
	if got := send(t, used, ids); got.GetVerdict() != pb.Verdict_VERDICT_APPLIED || got.GetRequestId() == other {
		t.Errorf("an id that two services drew in one millisecond: %v", got)
	}
}

func TestACommandThatMayHaveBeenAppliedGetsNoNewID(t *testing.T) {
	engine := startHunt(t)
	ids := playerstate.NewRequestIDs()
	lost := &late{Commander: engine, loses: 1, before: func() {}}
	lost.after = func() {
		for range 4 {
			send(t, engine, ids)
		}
	}
	if got := send(t, lost, ids); !tooOld(got) {
		t.Errorf("applied, its answer lost, overtaken: %v; want REQUEST_TOO_OLD, for the caller to look", got)
	}
}

func TestALostAnswerIsAskedForAgainAndAppliedOnce(t *testing.T) {
	engine := startHunt(t)
	lost := &late{Commander: engine, loses: 2, before: func() {}, after: func() {}}
	if got := send(t, lost, playerstate.NewRequestIDs()); got.GetVerdict() != pb.Verdict_VERDICT_DUPLICATE || got.GetSequence() != 3 {
		t.Errorf("%v; want DUPLICATE of sequence 3", got)
	}
}

// late is an engine on the way to which something happens: before the first command,
// and after each of those whose answers it loses.
type late struct {
	playerstate.Commander
	before, after func()
	loses         int
	calls         int
	cmd           *pb.Command // of the last call
}

func (l *late) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	l.calls++
	l.cmd = cmd
	if l.calls == 1 {
		l.before()
	}
	outcome, err := l.Commander.Apply(ctx, cmd)
	if l.calls <= l.loses {
		l.after()
		return nil, playerstate.Unknown(codes.Unavailable, "the answer was lost")
	}
	return outcome, err
}
