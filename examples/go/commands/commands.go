// Package commands sends the commands of players, under request ids that are never
// applied twice.
package commands

import (
	"context"
	"math/rand/v2"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

const (
	triesMax = 4                     // of one command
	pauseMax = 40 * time.Millisecond // before the second; twice as long before each further one
)

// Send takes a command to its outcome, under an id that ids issues. cmd is Send's
// until it returns. A verdict is a value; the error is that of the last try.
//
// What failed is sent again under the same id, so that it is never applied twice: a
// DUPLICATE then says that it was, and GetRecord has the whole answer. Where every
// try was answered, DUPLICATE and REQUEST_TOO_OLD cannot be of this command: another
// service has used the id, or has been faster with four commands of this player. It
// surely was not applied, and goes again under a new id. Once a try was left
// unanswered nobody knows, and REQUEST_TOO_OLD is the caller's to look into.
func Send(ctx context.Context, engine playerstate.Commander, ids *playerstate.RequestIDs, cmd *pb.Command) (*pb.Outcome, error) {
	cmd.RequestId = ids.Next()
	unanswered := false
	for try := 1; ; try++ {
		outcome, err := engine.Apply(ctx, cmd)
		switch {
		case try == triesMax:
			return outcome, err
		case err != nil:
			unanswered = unanswered || playerstate.FateOf(err) == playerstate.FateUnknown
		case outcome.GetVerdict() == pb.Verdict_VERDICT_UNKNOWN:
			unanswered = true
		case !unanswered && (tooOld(outcome) || outcome.GetVerdict() == pb.Verdict_VERDICT_DUPLICATE):
			cmd.RequestId = ids.Next()
		default:
			return outcome, nil
		}
		if !pause(ctx, pauseMax<<(try-1)) {
			return outcome, err
		}
	}
}

func tooOld(outcome *pb.Outcome) bool {
	return outcome.GetRefusal().GetReason() == pb.Refusal_REASON_REQUEST_TOO_OLD
}

// pause waits for a random part of most, and says whether ctx is still on.
func pause(ctx context.Context, most time.Duration) bool {
	select {
	case <-time.After(rand.N(most)):
		return true
	case <-ctx.Done():
		return false
	}
}
