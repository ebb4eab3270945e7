package bots

import (
	"context"
	"fmt"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/audit"
)

// seat is one player in one hunt: it plays until the hunt is over, and keeps count
// of what it was answered. Not safe for concurrent use.
type seat struct {
	hunt    *hunt
	player  uint64
	brain   *brain
	engine  playerstate.Commander
	ids     *playerstate.RequestIDs
	tally   *tally
	think   time.Duration
	patient time.Duration // how long past its hunt's end an unanswered command is asked for

	played audit.Player
}

// play plays until the hunt is over, or until nothing is answered any more.
func (s *seat) play(ctx context.Context) audit.Player {
	s.played.ID = s.player
	if !s.sitDown(ctx) {
		return s.played
	}
	for ctx.Err() == nil {
		cmd := s.brain.next(time.Now())
		cmd.HuntId, cmd.PlayerId, cmd.RequestId = s.hunt.id, s.player, s.ids.Next()
		outcome := s.ask(ctx, cmd)
		if outcome == nil {
			s.played.Unheard++
			break
		}
		s.note(cmd, outcome)
		if outcome.GetRejection() == pb.Rejection_REJECTION_HUNT_ENDED {
			s.played.Final = true
			break
		}
		s.brain.learn(time.Now(), cmd, outcome)
		// Between half and one and a half thoughts, so that players do not march in step.
		pause := s.think/2 + time.Duration(s.brain.random.Int64N(int64(s.think)))
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return s.played
}

// sitDown learns where the matchmaker's Join put the player.
func (s *seat) sitDown(ctx context.Context) bool {
	return s.hunt.persist(ctx, s.patient, func(ctx context.Context) error {
		answer, err := s.engine.GetPlayer(ctx, &pb.GetPlayerRequest{HuntId: s.hunt.id, PlayerId: s.player})
		if err != nil {
			return err
		}
		s.brain.at = cell{int(answer.GetPlayer().GetX()), int(answer.GetPlayer().GetY())}
		s.played.Version, s.played.Score = answer.GetPlayer().GetVersion(), answer.GetPlayer().GetScore()
		return nil
	})
}

// ask sends one command until its fate is known, always under the same
// request_id, so that it is applied once at most. It answers nil when the hunt
// has long been over and the fate is still not known.
func (s *seat) ask(ctx context.Context, cmd *pb.Command) *pb.Outcome {
	var final *pb.Outcome
	s.hunt.persist(ctx, s.patient, func(ctx context.Context) error {
		start := time.Now()
		outcome, err := s.engine.Apply(ctx, cmd)
		if err != nil {
			s.tally.callFailed(err)
			return err
		}
		s.tally.outcome(cmd, outcome, time.Since(start))
		if again := askAgain(outcome); again != nil {
			return again
		}
		final = outcome
		return nil
	})
	return final
}

// askAgain says why an outcome leaves the command's fate open; nil for a final one.
func askAgain(outcome *pb.Outcome) error {
	switch outcome.GetVerdict() {
	case pb.Verdict_VERDICT_APPLIED, pb.Verdict_VERDICT_DUPLICATE, pb.Verdict_VERDICT_REJECTED:
		return nil
	case pb.Verdict_VERDICT_REFUSED, pb.Verdict_VERDICT_EXPIRED, pb.Verdict_VERDICT_UNKNOWN, pb.Verdict_VERDICT_UNSPECIFIED:
		return fmt.Errorf("%s: %s", outcome.GetVerdict(), outcome.GetRefusal())
	default:
		return fmt.Errorf("a verdict that this build does not know: %s", outcome.GetVerdict())
	}
}

func (s *seat) note(cmd *pb.Command, outcome *pb.Outcome) {
	if p := outcome.GetPlayer(); p != nil {
		s.played.Version, s.played.Score = p.GetVersion(), p.GetScore()
	}
	switch outcome.GetVerdict() {
	case pb.Verdict_VERDICT_APPLIED, pb.Verdict_VERDICT_DUPLICATE:
		if cmd.GetJoin() == nil {
			s.played.Answered++
			s.played.Marks += audit.Mark(cmd.GetRequestId(), outcome.GetSequence())
		}
	}
}
