package serve

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// replyRoom is what the outcomes of a reply may come to, with the frame around them.
const replyRoom = playerstate.MaxMessageBytes - 1024

// fit shortens outcomes, last first, until they come to room bytes. An engine
// stops applying at [playerstate.MaxBatchOutcomeBytes] by itself, so only a batch
// that went to several engines comes here. Its commands are decided by then, so
// the short form says no less than is true: one that was applied is UNKNOWN (ask
// again under the same request_id; GetRecord gives the whole), one that changed
// nothing is REFUSED OVERLOADED.
func fit(outcomes []*pb.Outcome, room int) {
	total := 0
	for _, outcome := range outcomes {
		total += wireSize(outcome)
	}
	for i := len(outcomes) - 1; i >= 0 && total > room; i-- {
		short := shorten(outcomes[i])
		if saved := wireSize(outcomes[i]) - wireSize(short); saved > 0 {
			outcomes[i] = short
			total -= saved
		}
	}
}

// wireSize is what one outcome takes in an ApplyBatchResponse.
func wireSize(outcome *pb.Outcome) int {
	const outcomesField = 1
	return protowire.SizeTag(outcomesField) + protowire.SizeBytes(proto.Size(outcome))
}

func shorten(outcome *pb.Outcome) *pb.Outcome {
	switch outcome.GetVerdict() {
	case pb.Verdict_VERDICT_APPLIED:
		return &pb.Outcome{
			RequestId: outcome.GetRequestId(),
			Verdict:   pb.Verdict_VERDICT_UNKNOWN,
			Epoch:     outcome.GetEpoch(),
			Sequence:  outcome.GetSequence(),
		}
	case pb.Verdict_VERDICT_DUPLICATE:
		return &pb.Outcome{RequestId: outcome.GetRequestId(), Verdict: outcome.GetVerdict(), Sequence: outcome.GetSequence()}
	case pb.Verdict_VERDICT_UNKNOWN, pb.Verdict_VERDICT_EXPIRED:
		return outcome
	case pb.Verdict_VERDICT_UNSPECIFIED, pb.Verdict_VERDICT_REJECTED, pb.Verdict_VERDICT_REFUSED:
	}
	return playerstate.Refused(outcome.GetRequestId(), &pb.Refusal{
		Reason: pb.Refusal_REASON_OVERLOADED,
		Detail: fmt.Sprintf("reply over %d bytes; send less", playerstate.MaxMessageBytes),
	})
}
