package playerstatetest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
	"treasurehunt.example/go-compat/sidecar"
)

// lobby stands for a service of yours: it holds the seam, and not which engine is
// behind it.
type lobby struct {
	engine   playerstate.Engine
	requests *playerstate.RequestIDs
}

var errTryAgain = errors.New("the hunt is busy, try again")

// enter joins a player. It asks again, under the same request_id, when it does not
// know what became of the first call.
func (l *lobby) enter(ctx context.Context, huntID string, player uint64) error {
	cmd := &pb.Command{HuntId: huntID, PlayerId: player, RequestId: l.requests.Next(), Action: &pb.Command_Join{Join: &pb.Join{}}}
	outcome, err := l.engine.Apply(ctx, cmd)
	if err != nil && playerstate.FateOf(err) == playerstate.FateUnknown {
		outcome, err = l.engine.Apply(ctx, cmd)
	}
	switch {
	case err != nil:
		return err
	case outcome.GetRefusal().GetReason() == pb.Refusal_REASON_OVERLOADED:
		return errTryAgain
	}
	return nil
}

// The test of a service, as it would stand beside it. The examples below are its
// parts.
func TestALobbyJoinsAPlayerOnceThoughAnAnswerIsLost(t *testing.T) {
	fake := playerstatetest.New(t)
	client, err := sidecar.Dial(sidecar.Config{Target: fake.Target(), Dialer: fake.Dial})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close(t.Context())
	create(t, client, "h")

	fake.LoseAnswers(playerstatetest.On(playerstatetest.Apply), playerstatetest.Times(1))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := (&lobby{client, playerstate.NewRequestIDs()}).enter(ctx, "h", 7); err != nil {
		t.Fatal(err)
	}
	hunt, err := fake.GetHunt(ctx, &pb.GetHuntRequest{HuntId: "h"})
	if err != nil || hunt.GetPlayers() != 1 || hunt.GetSequence() != 2 {
		t.Errorf("%v, %v; want one player, joined once", hunt, err)
	}
}

var (
	t   testing.TB // of the test around an example
	ctx context.Context
)

// A test turns the clock, so that an hour of play takes no time.
func ExampleFake_Advance() {
	fake := playerstatetest.New(t)
	engine := lobby{fake, playerstate.NewRequestIDs()}
	_ = engine.enter(ctx, "hunt-1", 7)
	fake.Advance(time.Hour) // the hunt ends, and its end is in the feed
}

// The next two commands in one hunt are refused; those of other hunts are not.
func ExampleFake_Refuse() {
	fake := playerstatetest.New(t)
	fake.Refuse(pb.Refusal_REASON_OVERLOADED, playerstatetest.InHunt("hunt-1"), playerstatetest.Times(2))
}

// A service that hangs on a call is looked at while it hangs, without a sleep.
func ExampleFake_Hold() {
	fake := playerstatetest.New(t)
	engine := lobby{fake, playerstate.NewRequestIDs()}
	held := fake.Hold(playerstatetest.On(playerstatetest.Apply))
	go engine.enter(ctx, "hunt-1", 7)
	held.Await(t, 1) // it has come, and nothing of it is done
	held.Release()
}

// What a service does when the connection breaks with a call under way.
func ExampleFake_Cut() {
	fake := playerstatetest.New(t)
	held := fake.HoldAnswers(playerstatetest.Times(1))
	go func() { /* the service makes its call through a client that dialed the fake */ }()
	held.Await(t, 1) // it was applied, and is not answered
	fake.Cut()
}
