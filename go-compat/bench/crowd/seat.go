package crowd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
	"unsafe"

	"treasurehunt.example/go-compat/bench/load"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// oneInDigs is how seldom a player digs. It digs without knowing what lies there, so in
// the beginning one dig in four is applied, and fewer the longer a run is.
const oneInDigs = 8

// seat is one player. Without pointers: a collector that looks at a million of them
// would be a part of what is measured. Not safe for concurrent use.
type seat struct {
	request uint64 // the last one
	x, y    uint16
}

// SeatBytes is what a crowd has of each of its players.
const SeatBytes = int(unsafe.Sizeof(seat{}))

// command is what a seat's next command is written into.
type command struct {
	cmd  pb.Command
	step pb.Command_Move
	to   pb.Move
}

func newCommand() *command {
	c := new(command)
	c.step.Move = &c.to
	return c
}

var (
	join = &pb.Command_Join{Join: &pb.Join{}}
	dig  = &pb.Command_Dig{Dig: &pb.Dig{}}
)

// next is the player's next request, whose action is still to be chosen.
func (c *Crowd) next(into *command, player int) *pb.Command {
	s := &c.seats[player]
	s.request++
	into.cmd.HuntId, into.cmd.PlayerId, into.cmd.RequestId = c.hunts[player/c.perHunt], c.id(player), s.request
	return &into.cmd
}

func (c *Crowd) join(into *command, player int) *pb.Command {
	cmd := c.next(into, player)
	cmd.Action = join
	return cmd
}

// act takes a step, or digs.
func (c *Crowd) act(into *command, player int, random *rand.Rand) *pb.Command {
	cmd := c.next(into, player)
	if random.IntN(oneInDigs) == 0 {
		cmd.Action = dig
		return cmd
	}
	into.to.X, into.to.Y = c.seats[player].neighbour(random)
	cmd.Action = &into.step
	return cmd
}

// neighbour is a cell beside the own one, and never the own.
func (s *seat) neighbour(random *rand.Rand) (x, y uint32) {
	ownX, ownY := int(s.x), int(s.y)
	toX, toY := ownX, ownY
	for toX == ownX && toY == ownY {
		toX = min(max(ownX+random.IntN(3)-1, 0), Side-1)
		toY = min(max(ownY+random.IntN(3)-1, 0), Side-1)
	}
	return uint32(toX), uint32(toY)
}

// learn reads the answer: where the player is, and what came of the command.
func (s *seat) learn(outcome *pb.Outcome) (load.Kind, error) {
	if player := outcome.GetPlayer(); player != nil {
		s.x, s.y = uint16(player.GetX()), uint16(player.GetY())
	}
	return KindOf(outcome)
}

// KindOf is what came of a command, or why it was not answered by the rules.
func KindOf(outcome *pb.Outcome) (load.Kind, error) {
	switch outcome.GetVerdict() {
	case pb.Verdict_VERDICT_APPLIED:
		return load.Applied, nil
	case pb.Verdict_VERDICT_REJECTED:
		return load.Rejected, nil
	case pb.Verdict_VERDICT_REFUSED:
		return load.Rejected, fmt.Errorf("%s", outcome.GetRefusal().GetReason())
	case pb.Verdict_VERDICT_DUPLICATE, pb.Verdict_VERDICT_EXPIRED, pb.Verdict_VERDICT_UNKNOWN, pb.Verdict_VERDICT_UNSPECIFIED:
		return load.Rejected, fmt.Errorf("%s", outcome.GetVerdict())
	default:
		return load.Rejected, fmt.Errorf("a verdict that this build does not know: %s", outcome.GetVerdict())
	}
}

// answerWithin is how long a command may take, or half of it. It is far above every
// goal, so that a slow answer is measured and not cut off.
const answerWithin = 2 * time.Second

// deadlines gives the commands of a few callers their deadline. A context a command would
// cost as much as the Go engine's answer, and services have theirs from their own callers:
// so one serves until half of its time is over. Safe for concurrent use.
type deadlines struct {
	current atomic.Pointer[deadline]
}

// callersADeadline share one. One a caller would be most of what the load allocates in an
// open loop; one for all would have every core wait for the same channel's lock.
const callersADeadline = 64

// deadline ends by itself: whoever has a call out that was given it may still need it when
// the next one is made.
type deadline struct {
	ctx   context.Context
	end   context.CancelFunc
	until time.Time
}

func (d *deadlines) next(ctx context.Context) context.Context {
	now, last := time.Now(), d.current.Load()
	if last != nil && last.until.Sub(now) >= answerWithin/2 {
		return last.ctx
	}
	next := &deadline{until: now.Add(answerWithin)}
	next.ctx, next.end = context.WithDeadline(ctx, next.until)
	if !d.current.CompareAndSwap(last, next) {
		next.end()
		return d.current.Load().ctx
	}
	return next.ctx
}
