package legacy

import (
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// When to try again for lack of room: a command in the next gap of the load, as the
// refusal says in milliseconds; any other call a little later.
const (
	retryAfterMs = 50
	retryLater   = 100 * time.Millisecond
)

// refuse answers a command with a refusal, and counts it.
func (e *Engine) refuse(requestID uint64, refusal *pb.Refusal) *pb.Outcome {
	e.counters.refused(refusal.GetReason())
	return playerstate.Refused(requestID, refusal)
}

func (h *hunt) refuse(requestID uint64, refusal *pb.Refusal) *pb.Outcome {
	return h.engine.refuse(requestID, refusal)
}

func overloaded(format string, args ...any) *pb.Refusal {
	return &pb.Refusal{Reason: pb.Refusal_REASON_OVERLOADED, RetryAfterMs: retryAfterMs, Detail: fmt.Sprintf(format, args...)}
}

func unknownHunt() *pb.Refusal { return &pb.Refusal{Reason: pb.Refusal_REASON_UNKNOWN_HUNT} }

func quarantineRefusal() *pb.Refusal {
	return &pb.Refusal{Reason: pb.Refusal_REASON_QUARANTINED, Detail: "the hunt failed inside the engine; its log says why"}
}

// goneRefusal is for commands that found the hunt as it went: with the engine,
// or long after its end.
func (h *hunt) goneRefusal() *pb.Refusal {
	if h.engine.life.Err() != nil {
		return &pb.Refusal{Reason: pb.Refusal_REASON_DRAINING, Detail: "the engine is closing"}
	}
	return unknownHunt()
}

// unknown is the same for reads.
func (h *hunt) unknown() *playerstate.Failure {
	if h.engine.life.Err() != nil {
		return playerstate.NotApplied(codes.Unavailable, "this engine is closed")
	}
	return notFound(h.id)
}

// quarantinedFailure is the failure of reads of a hunt that panicked.
func (h *hunt) quarantinedFailure() *playerstate.Failure {
	plain := status.Newf(codes.FailedPrecondition, "hunt %s failed inside the engine and is quarantined; its log says why", h.id)
	detailed, err := plain.WithDetails(quarantineRefusal())
	if err != nil {
		detailed = plain
	}
	return playerstate.FromStatus(playerstate.FateUnknown, detailed.Err())
}

// notActiveRefusal is for commands of a hunt that nobody claimed since the restart.
func (h *hunt) notActiveRefusal() *pb.Refusal {
	return &pb.Refusal{Reason: pb.Refusal_REASON_NOT_ACTIVE, Epoch: h.game.Epoch(), Detail: "recovered and not yet claimed"}
}

// notActiveFailure is the same for reads.
func (h *hunt) notActiveFailure() *playerstate.Failure {
	return playerstate.RefusedFor(h.notActiveRefusal(), "hunt %s is recovered and not yet claimed", h.id)
}

func notFound(huntID string) *playerstate.Failure {
	return playerstate.NotApplied(codes.NotFound, "hunt %s is not known here", huntID)
}
