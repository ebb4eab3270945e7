package playerstate

import (
	"testing"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

func TestAFailedCommandOfABatchSaysWhatIsKnownOfIt(t *testing.T) {
	for _, c := range []struct {
		failure *Failure
		verdict pb.Verdict
		reason  pb.Refusal_Reason
	}{
		{Unknown(codes.Unavailable, "lost"), pb.Verdict_VERDICT_UNKNOWN, 0},
		{Unknown(codes.DeadlineExceeded, "late"), pb.Verdict_VERDICT_UNKNOWN, 0},
		{NotApplied(codes.DeadlineExceeded, "late"), pb.Verdict_VERDICT_EXPIRED, 0},
		{NotApplied(codes.Canceled, "left"), pb.Verdict_VERDICT_EXPIRED, 0},
		{NotApplied(codes.Unavailable, "away"), pb.Verdict_VERDICT_REFUSED, pb.Refusal_REASON_NOT_ACTIVE},
		{NotApplied(codes.ResourceExhausted, "full"), pb.Verdict_VERDICT_REFUSED, pb.Refusal_REASON_OVERLOADED},
		{Invalid("hunt_id", "no"), pb.Verdict_VERDICT_REFUSED, pb.Refusal_REASON_INVALID},
	} {
		outcome := c.failure.Outcome(7)
		if detail := outcome.GetRefusal().GetDetail(); outcome.GetRefusal() != nil && detail != c.failure.GRPCStatus().Message() {
			t.Errorf("%v is told as %q", c.failure, detail)
		}
		if outcome.GetRequestId() != 7 || outcome.GetVerdict() != c.verdict || outcome.GetRefusal().GetReason() != c.reason {
			t.Errorf("%v is answered %v", c.failure, outcome)
		}
	}
}
