package tally

import (
	"strings"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/audit"
)

// applied counts one command that was applied. A record that says otherwise, or
// whose command no engine takes, has its place in the hunt and no effect.
func (p *Page) applied(hunt *Hunt, record *pb.Record, applied *pb.Applied) error {
	cmd, outcome := applied.GetCommand(), applied.GetOutcome()
	if field := playerstate.MalformedField(cmd); field != "" {
		p.alarm(Malformed, hunt.ID, record.GetSequence(), "a command applied whose %s is malformed", field)
		return nil
	}
	if verdict := outcome.GetVerdict(); verdict != pb.Verdict_VERDICT_APPLIED {
		p.alarm(Malformed, hunt.ID, record.GetSequence(), "a record of a command that was not applied, but %s", verdict)
		return nil
	}
	hunt.Applied++
	mark := uint64(0)
	own := Counts{Applied: 1}
	switch action := cmd.GetAction().(type) {
	case *pb.Command_Join:
		own.Joins = 1
	case *pb.Command_Leave:
	case *pb.Command_Move:
		own.Moves = 1
	case *pb.Command_Dig:
		own.Digs = 1
		own.Treasures, own.Dug = dug(outcome)
		own.Score = int64(own.Dug)
		hunt.Dug += own.Dug
	case *pb.Command_PickUp:
		own.PickedUp = 1
		p.powerUp(record, outcome.GetPickedUp(), 1, 0)
	case *pb.Command_UsePowerUp:
		own.Used = 1
		p.powerUp(record, action.UsePowerUp.GetPowerUp(), 0, 1)
	}
	if own.Joins == 0 {
		mark = audit.Mark(cmd.GetRequestId(), record.GetSequence())
	}
	if err := p.add(hunt, cmd.GetPlayerId(), own, mark); err != nil {
		return err
	}
	if err := p.impacts(hunt, cmd.GetPlayerId(), outcome.GetImpacts()); err != nil {
		return err
	}
	return p.checkScore(hunt, record.GetSequence(), cmd.GetPlayerId(), outcome)
}

// powerUp counts a power-up by its name, if that can be one.
func (p *Page) powerUp(record *pb.Record, name string, picked, used uint64) {
	if name == "" || len(name) > playerstate.MaxPowerUpBytes || !keepable(name) {
		p.alarm(Malformed, record.GetHuntId(), record.GetSequence(), "a power-up whose name is %.64q", name)
		return
	}
	p.book.PowerUp(record.GetApplied().GetCommand().GetPlayerId(), name, picked, used)
}

// keepable tells whether every store can keep a text: Postgres has no zero byte in
// any, and a page that cannot be kept would be read for ever.
func keepable(text string) bool { return strings.IndexByte(text, 0) < 0 }

func dug(outcome *pb.Outcome) (treasures, worth uint64) {
	for _, treasure := range outcome.GetTreasures() {
		worth += uint64(treasure.GetValue())
	}
	return uint64(len(outcome.GetTreasures())), worth
}

// impacts counts what a power-up did. A steal or swap that was not blocked is two
// impacts: the first is of whom it landed on, the second of its author.
func (p *Page) impacts(hunt *Hunt, actor uint64, impacts []*pb.Impact) error {
	second := false
	for _, impact := range impacts {
		if impact.GetPlayerId() == 0 {
			p.alarm(Malformed, hunt.ID, 0, "an impact on nobody")
			continue
		}
		took := Counts{Score: impact.GetScoreChange()}
		gave := Counts{}
		if hostile(impact.GetEffect()) && !second {
			switch impact.GetResult() {
			case pb.Impact_RESULT_APPLIED:
				took.HitsReceived, gave.HitsGiven = 1, 1
			case pb.Impact_RESULT_REFLECTED:
				took.HitsReceived = 1
			case pb.Impact_RESULT_BLOCKED:
				took.HitsBlocked = 1
			case pb.Impact_RESULT_IGNORED, pb.Impact_RESULT_UNSPECIFIED: // it changed nothing
			}
		}
		second = !second && inPairs(impact)
		if err := p.add(hunt, impact.GetPlayerId(), took, 0); err != nil {
			return err
		}
		if err := p.add(hunt, actor, gave, 0); err != nil {
			return err
		}
	}
	return nil
}

func hostile(effect pb.EffectKind) bool {
	return effect == pb.EffectKind_EFFECT_KIND_FREEZE || effect == pb.EffectKind_EFFECT_KIND_STEAL || effect == pb.EffectKind_EFFECT_KIND_SWAP
}

func inPairs(impact *pb.Impact) bool {
	switch impact.GetEffect() {
	case pb.EffectKind_EFFECT_KIND_STEAL, pb.EffectKind_EFFECT_KIND_SWAP:
		return impact.GetResult() == pb.Impact_RESULT_APPLIED || impact.GetResult() == pb.Impact_RESULT_REFLECTED
	default: // the schema's enum, which may grow
		return false
	}
}

// add adds to a player's seat and to the player.
func (p *Page) add(hunt *Hunt, playerID uint64, counts Counts, mark uint64) error {
	if counts == (Counts{}) {
		return nil
	}
	seat, err := p.book.Seat(hunt.ID, playerID)
	if err != nil {
		return err
	}
	player, err := p.book.Player(playerID)
	if err != nil {
		return err
	}
	if seat.Joins == 0 && counts.Joins > 0 {
		hunt.Players++
		player.Hunts++
	}
	seat.add(counts)
	seat.Marks += mark
	player.add(counts)
	hunt.Scores += counts.Score
	return nil
}
