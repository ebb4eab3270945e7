package sidecar

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// Commands and outcomes are a fraction of a microsecond each, of which the library's
// way over descriptors is a good part. So what a command and an outcome nearly always
// are is written and read here; all else is the library's. wire_test.go holds both
// against it. (docs/decisions/commands-by-hand.md)

// The fields' numbers in the schema.
const (
	commandsField protowire.Number = 1 // of ApplyBatchRequest
	outcomesField protowire.Number = 1 // of ApplyBatchResponse
	budgetField   protowire.Number = 5 // of Command
)

// appendCommand appends cmd as proto.Marshal would.
func appendCommand(b []byte, cmd *pb.Command) ([]byte, error) {
	number, action, known := encodeAction(cmd)
	if !known || hasUnknown(cmd) {
		return proto.MarshalOptions{}.MarshalAppend(b, cmd)
	}
	b = appendText(b, 1, cmd.HuntId)
	b = appendFixed64(b, 2, cmd.PlayerId)
	b = appendFixed64(b, 3, cmd.RequestId)
	b = appendVarint(b, 4, uint64(cmd.ExpectedVersion))
	b = appendVarint(b, budgetField, uint64(cmd.BudgetMs))
	b = appendVarint(b, 6, cmd.Epoch)
	b = protowire.AppendTag(b, number, protowire.BytesType)
	return protowire.AppendBytes(b, action.bytes[:action.len]), nil
}

// encoded is an action's fields. A power-up's name has 32 bytes at most, which was checked.
type encoded struct {
	bytes [64]byte
	len   int
}

// encodeAction encodes the action's fields, where it is one of this schema.
func encodeAction(cmd *pb.Command) (number protowire.Number, action encoded, known bool) {
	b := action.bytes[:0]
	switch a := cmd.Action.(type) {
	case *pb.Command_Join:
		number, known = 10, !hasUnknown(a.Join)
	case *pb.Command_Leave:
		number, known = 11, !hasUnknown(a.Leave)
	case *pb.Command_Move:
		number, known = 12, a.Move != nil && !hasUnknown(a.Move)
		b = appendVarint(b, 1, uint64(a.Move.GetX()))
		b = appendVarint(b, 2, uint64(a.Move.GetY()))
	case *pb.Command_Dig:
		number, known = 13, !hasUnknown(a.Dig)
	case *pb.Command_PickUp:
		number, known = 14, !hasUnknown(a.PickUp)
	case *pb.Command_UsePowerUp:
		number, known = 15, a.UsePowerUp != nil && !hasUnknown(a.UsePowerUp)
		b = appendText(b, 1, a.UsePowerUp.GetPowerUp())
		b = appendFixed64(b, 2, a.UsePowerUp.GetTargetPlayerId())
	}
	action.len = len(b)
	return number, action, known
}

func hasUnknown(m proto.Message) bool { return len(m.ProtoReflect().GetUnknown()) > 0 }

func appendText(b []byte, number protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), text)
}

func appendFixed64(b []byte, number protowire.Number, value uint64) []byte {
	if value == 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, number, protowire.Fixed64Type), value)
}

func appendVarint(b []byte, number protowire.Number, value uint64) []byte {
	if value == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, number, protowire.VarintType), value)
}

// answered is an outcome and the summary that nearly every one has.
type answered struct {
	outcome pb.Outcome
	player  pb.PlayerSummary
}

// slabOutcomes is how many outcomes are allocated together, for one call or several: what
// with the runtime's own word fills one of its sizes. A caller who keeps one keeps its slab,
// of under 7 KiB.
const slabOutcomes = 31

// outcomes is an ApplyBatchResponse, one after another.
type outcomes struct {
	all  []*pb.Outcome
	slab []answered // what is left of the last slab
}

// reset lets go of what was read.
func (o *outcomes) reset() {
	clear(o.all)
	o.all = o.all[:0]
}

// read reads a message, as proto.Unmarshal would.
func (o *outcomes) read(message []byte) error {
	for rest := message; len(rest) > 0; {
		number, kind, n := protowire.ConsumeTag(rest)
		if n < 0 || number != outcomesField || kind != protowire.BytesType {
			return o.readAll(message)
		}
		fields, m := protowire.ConsumeBytes(rest[n:])
		if m < 0 {
			return protowire.ParseError(m)
		}
		rest = rest[n+m:]
		if err := o.add(fields); err != nil {
			return err
		}
	}
	return nil
}

// readAll is for a message of a newer schema, and for what is none.
func (o *outcomes) readAll(message []byte) error {
	var reply pb.ApplyBatchResponse
	if err := proto.Unmarshal(message, &reply); err != nil {
		return err
	}
	o.all = reply.GetOutcomes()
	return nil
}

func (o *outcomes) add(fields []byte) error {
	if len(o.slab) == 0 {
		o.slab = make([]answered, slabOutcomes)
	}
	next := &o.slab[0]
	o.slab = o.slab[1:]
	if !next.read(fields) {
		*next = answered{}
		if err := proto.Unmarshal(fields, &next.outcome); err != nil {
			return err
		}
	}
	o.all = append(o.all, &next.outcome)
	return nil
}

// read reads an outcome that has numbers and a player. False: it is something else.
func (a *answered) read(fields []byte) bool {
	o := &a.outcome
	for len(fields) > 0 {
		number, kind, n := protowire.ConsumeTag(fields)
		if n < 0 {
			return false
		}
		fields = fields[n:]
		switch {
		case number == 1 && kind == protowire.Fixed64Type:
			o.RequestId, n = protowire.ConsumeFixed64(fields)
		case number == 7 && kind == protowire.BytesType && o.Player == nil:
			var summary []byte
			summary, n = protowire.ConsumeBytes(fields)
			if n < 0 || !a.readPlayer(summary) {
				return false
			}
			o.Player = &a.player
		case kind == protowire.VarintType:
			var value uint64
			if value, n = protowire.ConsumeVarint(fields); !setNumber(o, number, value) {
				return false
			}
		default:
			return false
		}
		if n < 0 {
			return false
		}
		fields = fields[n:]
	}
	return true
}

func setNumber(o *pb.Outcome, number protowire.Number, value uint64) bool {
	switch number {
	case 2:
		o.Verdict = pb.Verdict(value)
	case 3:
		o.Rejection = pb.Rejection(value)
	case 5:
		o.Epoch = value
	case 6:
		o.Sequence = value
	default:
		return false
	}
	return true
}

func (a *answered) readPlayer(fields []byte) bool {
	p := &a.player
	for len(fields) > 0 {
		number, kind, n := protowire.ConsumeTag(fields)
		if n < 0 || kind != protowire.VarintType {
			return false
		}
		value, m := protowire.ConsumeVarint(fields[n:])
		if m < 0 {
			return false
		}
		fields = fields[n+m:]
		switch number {
		case 1:
			p.X = uint32(value)
		case 2:
			p.Y = uint32(value)
		case 3:
			p.Score = value
		case 4:
			p.Version = uint32(value)
		default:
			return false
		}
	}
	return true
}
