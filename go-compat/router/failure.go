package router

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
)

// codeOf is the gRPC code of an engine's error, the end of a context included.
func codeOf(err error) codes.Code {
	var failure *playerstate.Failure
	if err == nil || errors.As(err, &failure) {
		return status.Code(err)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return status.FromContextError(err).Code()
	}
	return status.Code(err)
}

// failureOf is an engine's error as the seam has it. One that is no Failure
// says nothing of what was done.
func failureOf(err error) *playerstate.Failure {
	var failure *playerstate.Failure
	if errors.As(err, &failure) {
		return failure
	}
	if code := codeOf(err); code != codes.Unknown {
		return playerstate.Unknown(code, "%s", status.Convert(err).Message())
	}
	return playerstate.Unknown(codes.Internal, "the engine failed inside: %v", err)
}

// notActive is the failure of a call for a hunt that no engine serves, with the
// reason as a Refusal among the details.
func notActive(e *ledger.Entry, text string) *playerstate.Failure {
	return playerstate.RefusedFor(refusalOf(e, text), "hunt %q %s", e.HuntID, text)
}

func refusalOf(e *ledger.Entry, text string) *pb.Refusal {
	refusal := &pb.Refusal{Reason: pb.Refusal_REASON_NOT_ACTIVE, Owner: string(e.Owner), Epoch: e.Epoch, Detail: text}
	if e.State == ledger.Creating {
		refusal.RetryAfterMs = creatingRetryMs
	}
	return refusal
}

// creatingRetryMs is when to ask again for a hunt that is being created.
const creatingRetryMs = 50

// retryLater is when to try again for a hunt that found no room in the ledger: the
// keeper makes some in each of its rounds.
const retryLater = keepEvery

// idle says why a hunt takes no calls; "" if it takes them.
func idle(e *ledger.Entry) string {
	switch e.State {
	case ledger.Creating:
		return "is being created at the " + string(e.Owner) + " engine; ask again when CreateHunt has answered"
	case ledger.Lost:
		return "was lost: " + e.Why + "; it is not created anew, begin another under a new id"
	case ledger.Owned, ledger.Closed:
	}
	return ""
}

func unknownHunt(huntID string) *playerstate.Failure {
	return playerstate.NotApplied(codes.NotFound, "hunt %q is not in the router's ledger: it was never created, or ended long ago", huntID)
}

// missing is the failure of a call for a hunt that its owner does not have.
func missing(e *ledger.Entry) *playerstate.Failure {
	return playerstate.NotApplied(codes.Unavailable,
		"hunt %q belongs to the %s engine, which does not have its state (it was restarted without it); the hunt is neither served elsewhere nor begun anew, see router_hunts_missing",
		e.HuntID, e.Owner)
}

// unwritten is the failure of a change that the ledger did not keep.
func unwritten(err error) *playerstate.Failure {
	var full *ledger.FullError
	switch {
	case errors.As(err, &full):
		return playerstate.RetryLater(codes.ResourceExhausted, retryLater,
			"the ledger holds %d hunts, the most of HuntsMax (see router_ledger_hunts); let hunts end, keep closed ones for less time, or raise it", full.HuntsMax)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return playerstate.Unknown(codeOf(err), "%v; ask again, it is the same hunt", err)
	}
	return playerstate.Unknown(codes.Unavailable, "%v", err)
}
