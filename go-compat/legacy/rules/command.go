package rules

import (
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// Action is what a command asks for.
type Action uint8

// The actions of the schema.
const (
	Join Action = iota + 1
	Leave
	Move
	Dig
	PickUp
	UsePowerUp
)

// Command is a well-formed command of one hunt, by value: it shares nothing with
// the message it came from, and unknown fields are already dropped.
type Command struct {
	PlayerID        uint64
	RequestID       uint64
	ExpectedVersion uint32 // 0: any
	Action          Action
	X, Y            uint32 // of Move
	PowerUp         string // of UsePowerUp
	Target          uint64 // of UsePowerUp; 0: none
}

// CommandOf takes the command out of a message that playerstate.MalformedField
// found nothing wrong with.
func CommandOf(m *pb.Command) Command {
	c := Command{
		PlayerID:        m.GetPlayerId(),
		RequestID:       m.GetRequestId(),
		ExpectedVersion: m.GetExpectedVersion(),
	}
	switch action := m.GetAction().(type) {
	case *pb.Command_Join:
		c.Action = Join
	case *pb.Command_Leave:
		c.Action = Leave
	case *pb.Command_Move:
		c.Action, c.X, c.Y = Move, action.Move.GetX(), action.Move.GetY()
	case *pb.Command_Dig:
		c.Action = Dig
	case *pb.Command_PickUp:
		c.Action = PickUp
	case *pb.Command_UsePowerUp:
		c.Action, c.PowerUp, c.Target = UsePowerUp, action.UsePowerUp.GetPowerUp(), action.UsePowerUp.GetTargetPlayerId()
	}
	return c
}

// Message is the command as a record holds it: with budget_ms and epoch 0.
func (c Command) Message(huntID string) *pb.Command {
	m := &pb.Command{
		HuntId:          huntID,
		PlayerId:        c.PlayerID,
		RequestId:       c.RequestID,
		ExpectedVersion: c.ExpectedVersion,
	}
	switch c.Action {
	case Join:
		m.Action = &pb.Command_Join{Join: &pb.Join{}}
	case Leave:
		m.Action = &pb.Command_Leave{Leave: &pb.Leave{}}
	case Move:
		m.Action = &pb.Command_Move{Move: &pb.Move{X: c.X, Y: c.Y}}
	case Dig:
		m.Action = &pb.Command_Dig{Dig: &pb.Dig{}}
	case PickUp:
		m.Action = &pb.Command_PickUp{PickUp: &pb.PickUp{}}
	case UsePowerUp:
		m.Action = &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{PowerUp: c.PowerUp, TargetPlayerId: c.Target}}
	}
	return m
}
