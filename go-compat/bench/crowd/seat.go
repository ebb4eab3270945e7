package crowd

import (
	"context"
	"fmt"
	"math/rand/v2"

	"treasurehunt.example/go-compat/bench/load"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// oneInDigs is how seldom a player digs. It digs without knowing what lies there, so in
// the beginning one dig in four is applied, and fewer the longer a run is.
const oneInDigs = 8

// seat is one player. Not safe for concurrent use.
type seat struct {
	random *rand.Rand
	x, y   int

	// Used again for every command: an engine reads it until it has answered only.
	cmd  pb.Command
	step pb.Command_Move
}

var (
	join = &pb.Command_Join{Join: &pb.Join{}}
	dig  = &pb.Command_Dig{Dig: &pb.Dig{}}
)

func (s *seat) join(ctx context.Context, engine Engine) (load.Kind, error) {
	s.cmd.Action = join
	return s.send(ctx, engine)
}

// act takes a step, or digs.
func (s *seat) act(ctx context.Context, engine Engine) (load.Kind, error) {
	if s.random.IntN(oneInDigs) == 0 {
		s.cmd.Action = dig
	} else {
		s.cmd.Action = s.move()
	}
	return s.send(ctx, engine)
}

// move goes to a neighbouring cell, never to the own one.
func (s *seat) move() *pb.Command_Move {
	x, y := s.x, s.y
	for x == s.x && y == s.y {
		x = min(max(s.x+s.random.IntN(3)-1, 0), Side-1)
		y = min(max(s.y+s.random.IntN(3)-1, 0), Side-1)
	}
	s.step.Move = &pb.Move{X: uint32(x), Y: uint32(y)}
	return &s.step
}

// send sends the command, and learns from the answer.
func (s *seat) send(ctx context.Context, engine Engine) (load.Kind, error) {
	s.cmd.RequestId++
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	outcome, err := engine.Apply(ctx, &s.cmd)
	if err != nil {
		return load.Rejected, err
	}
	if player := outcome.GetPlayer(); player != nil {
		s.x, s.y = int(player.GetX()), int(player.GetY())
	}
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
