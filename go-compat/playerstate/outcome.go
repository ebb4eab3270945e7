package playerstate

import (
	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// Outcome says f as the outcome of one command, for a batch in which others were
// answered: a batch has one error for all, and a failed command must not spoil its
// neighbours. What may have been applied is UNKNOWN; what surely was not is
// EXPIRED, or REFUSED with f's message as its detail.
func (f *Failure) Outcome(requestID uint64) *pb.Outcome {
	if f.Fate == FateUnknown {
		return &pb.Outcome{RequestId: requestID, Verdict: pb.Verdict_VERDICT_UNKNOWN}
	}
	reason := pb.Refusal_REASON_NOT_ACTIVE // nobody serves the hunt just now
	switch f.status.Code() {
	case codes.DeadlineExceeded, codes.Canceled:
		return &pb.Outcome{RequestId: requestID, Verdict: pb.Verdict_VERDICT_EXPIRED}
	case codes.ResourceExhausted:
		reason = pb.Refusal_REASON_OVERLOADED
	case codes.InvalidArgument:
		reason = pb.Refusal_REASON_INVALID
	default: // the codes are grpc's, not ours: whatever else it may be, nothing was applied
	}
	return Refused(requestID, &pb.Refusal{Reason: reason, Detail: f.status.Message()})
}
