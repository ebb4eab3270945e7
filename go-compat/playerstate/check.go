package playerstate

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// Invalid is the failure of a request that is malformed: INVALID_ARGUMENT, whose
// message and google.rpc.BadRequest detail name the field as the schema does.
func Invalid(field, format string, args ...any) *Failure {
	problem := fmt.Sprintf(format, args...)
	plain := status.Newf(codes.InvalidArgument, "%s: %s", field, problem)
	detailed, err := plain.WithDetails(&errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: problem}},
	})
	if err != nil { // a description that is no UTF-8: the message alone still names the field
		detailed = plain
	}
	return &Failure{Fate: FateNotApplied, status: detailed}
}

// MalformedField names the first field of cmd that breaks the schema's syntax:
// hunt_id, player_id, request_id, action or power_up, in this order; "" if none
// does. Such a command is answered REFUSED INVALID with this as its detail.
func MalformedField(cmd *pb.Command) string {
	switch {
	case !validHuntID(cmd.GetHuntId()):
		return "hunt_id"
	case cmd.GetPlayerId() == 0:
		return "player_id"
	case cmd.GetRequestId() == 0:
		return "request_id"
	}
	switch action := cmd.GetAction().(type) {
	case nil:
		return "action"
	case *pb.Command_UsePowerUp:
		name := action.UsePowerUp.GetPowerUp()
		// A name that is no UTF-8 cannot be sent: it would fail the whole message.
		if len(name) < 1 || len(name) > MaxPowerUpBytes || !utf8.ValidString(name) {
			return "power_up"
		}
	}
	return ""
}

// InvalidOutcome is the answer to a malformed command.
func InvalidOutcome(requestID uint64, field string) *pb.Outcome {
	return Refused(requestID, &pb.Refusal{Reason: pb.Refusal_REASON_INVALID, Detail: field})
}

// Refused is the answer to a command that an engine cannot take.
func Refused(requestID uint64, refusal *pb.Refusal) *pb.Outcome {
	return &pb.Outcome{RequestId: requestID, Verdict: pb.Verdict_VERDICT_REFUSED, Refusal: refusal}
}

// CheckHuntID refuses an id that is not 1..64 bytes of [A-Za-z0-9._:-].
func CheckHuntID(id string) *Failure {
	if validHuntID(id) {
		return nil
	}
	shown := id
	if len(shown) > MaxHuntIDBytes {
		shown = shown[:MaxHuntIDBytes]
	}
	return Invalid("hunt_id", "must be 1..%d bytes of [A-Za-z0-9._:-]; this one has %d and begins %q", MaxHuntIDBytes, len(id), shown)
}

func validHuntID(id string) bool {
	if len(id) < 1 || len(id) > MaxHuntIDBytes {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}

// CheckSettings refuses settings outside the schema's bounds. Whether the
// ruleset exists is the engine's to say.
func CheckSettings(s *pb.HuntSettings) *Failure {
	if s == nil {
		return Invalid("settings", "are missing")
	}
	if f := checkRange("settings.width", uint64(s.GetWidth()), 1, MaxSideCells); f != nil {
		return f
	}
	if f := checkRange("settings.height", uint64(s.GetHeight()), 1, MaxSideCells); f != nil {
		return f
	}
	placed := min(uint64(s.GetWidth())*uint64(s.GetHeight())/2, MaxPlaced) // half of the cells
	if f := checkRange("settings.treasures", uint64(s.GetTreasures()), 0, placed); f != nil {
		return f
	}
	if f := checkRange("settings.caches", uint64(s.GetCaches()), 0, placed); f != nil {
		return f
	}
	if f := checkRange("settings.max_players", uint64(s.GetMaxPlayers()), 1, MaxPlayers); f != nil {
		return f
	}
	return checkRange("settings.duration_ms", s.GetDurationMs(), 1, MaxDurationMs)
}

// CheckCreateHunt refuses a malformed CreateHunt. The epoch's rules are the engine's.
func CheckCreateHunt(req *pb.CreateHuntRequest) *Failure {
	if f := CheckHuntID(req.GetHuntId()); f != nil {
		return f
	}
	return CheckSettings(req.GetSettings())
}

// CheckGetHunt refuses a malformed GetHunt.
func CheckGetHunt(req *pb.GetHuntRequest) *Failure {
	if f := CheckHuntID(req.GetHuntId()); f != nil {
		return f
	}
	return checkRange("top", uint64(req.GetTop()), 0, MaxStandings)
}

// CheckGetPlayer refuses a malformed GetPlayer.
func CheckGetPlayer(req *pb.GetPlayerRequest) *Failure {
	if f := CheckHuntID(req.GetHuntId()); f != nil {
		return f
	}
	if req.GetPlayerId() == 0 {
		return Invalid("player_id", "must not be 0")
	}
	return nil
}

// CheckBatch refuses a batch of no command, or of more than [MaxBatch].
func CheckBatch(commands int) *Failure {
	return checkRange("commands", uint64(commands), 1, MaxBatch)
}

// CheckReadRecords refuses a malformed ReadRecords. Any cursor is allowed: one
// that is unknown is answered from the oldest record kept, with gap.
func CheckReadRecords(req *pb.ReadRecordsRequest) *Failure {
	if f := checkRange("max_records", uint64(req.GetMaxRecords()), 1, MaxReadRecords); f != nil {
		return f
	}
	if f := checkRange("wait_ms", uint64(req.GetWaitMs()), 0, MaxReadWaitMs); f != nil {
		return f
	}
	if req.GetHuntId() == "" {
		return nil
	}
	return CheckHuntID(req.GetHuntId())
}

// CheckGetRecord refuses a malformed GetRecord.
func CheckGetRecord(req *pb.GetRecordRequest) *Failure {
	if f := CheckHuntID(req.GetHuntId()); f != nil {
		return f
	}
	if req.GetSequence() == 0 {
		return Invalid("sequence", "must not be 0: the records of a hunt are 1, 2, 3 …")
	}
	return nil
}

// CheckListHunts refuses a malformed ListHunts. Any after_hunt_id is allowed: it is a
// place in an order.
func CheckListHunts(req *pb.ListHuntsRequest) *Failure {
	return checkRange("max_hunts", uint64(req.GetMaxHunts()), 1, MaxListHunts)
}

// CheckActivate refuses a malformed Activate. Whether the fence fits is the engine's
// to say.
func CheckActivate(req *pb.ActivateRequest) *Failure {
	if f := CheckHuntID(req.GetHuntId()); f != nil {
		return f
	}
	if req.GetEpoch() == 0 {
		return Invalid("epoch", "must not be 0: an owner's first is 1")
	}
	if req.GetSequence() == 0 {
		return Invalid("sequence", "must not be 0: the records of a hunt are 1, 2, 3 …")
	}
	return CheckFence(req.GetFence())
}

// CheckFence refuses a fence that does not say who the router is.
func CheckFence(fence *pb.Fence) *Failure {
	if fence.GetLedgerId() == "" || len(fence.GetLedgerId()) > MaxLedgerIDBytes {
		return Invalid("fence.ledger_id", "must be 1..%d bytes; this has %d", MaxLedgerIDBytes, len(fence.GetLedgerId()))
	}
	if fence.GetRouterIncarnation() == 0 {
		return Invalid("fence.router_incarnation", "must not be 0: a router's first is 1")
	}
	return nil
}

func checkRange(field string, value, least, most uint64) *Failure {
	if value < least || value > most {
		return Invalid(field, "must be %d..%d, and is %d", least, most, value)
	}
	return nil
}
