package bots

import (
	"math/rand/v2"
	"slices"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// brain decides what one player does next. It knows what the answers told it and
// nothing else; with the same answers at the same times it plays the same game.
// Not safe for concurrent use.
type brain struct {
	player  uint64
	terrain *terrain
	ruleset Ruleset
	random  *rand.Rand

	at      cell
	stride  int       // cells a step may take
	fast    time.Time // until when stride is above 1
	frozen  time.Time
	cooling time.Time
	held    []string // one entry an item, in the order of finding
	away    bool     // left, and about to come back
}

// One in so many decisions is not a good player's: it leaves for a moment, or asks
// for what the rules forbid, as clients with stale views do.
const (
	oneInLeaves = 150
	oneInSilly  = 60
)

// next is the player's next command, without ids.
func (b *brain) next(now time.Time) *pb.Command {
	if b.away {
		return &pb.Command{Action: &pb.Command_Join{Join: &pb.Join{}}}
	}
	if use := b.usePowerUp(now); use != nil {
		return use
	}
	switch {
	case b.random.IntN(oneInLeaves) == 0:
		return &pb.Command{Action: &pb.Command_Leave{Leave: &pb.Leave{}}}
	case b.random.IntN(oneInSilly) == 0:
		return b.silly()
	}
	treasure, cache := b.terrain.holds(b.at)
	switch {
	case treasure:
		return dig()
	case cache:
		return pickUp()
	}
	return b.walk(now)
}

// usePowerUp uses the oldest item held that makes sense now, on whom it hurts most.
func (b *brain) usePowerUp(now time.Time) *pb.Command {
	if now.Before(b.cooling) {
		return nil
	}
	for _, name := range b.held {
		known := b.ruleset[name]
		if now.Before(b.frozen) && !known.thaws {
			continue
		}
		use := &pb.UsePowerUp{PowerUp: name}
		if known.target == "player" {
			victim, found := b.terrain.victim(b.player, b.at, known.reach)
			if !found {
				continue
			}
			use.TargetPlayerId = victim
		}
		return &pb.Command{Action: &pb.Command_UsePowerUp{UsePowerUp: use}}
	}
	return nil
}

// walk goes towards the nearest thing wanted; with nothing left, anywhere.
func (b *brain) walk(now time.Time) *pb.Command {
	stride := 1
	if now.Before(b.fast) {
		stride = b.stride
	}
	goal, found := b.terrain.nearest(b.at)
	if !found {
		goal = cell{b.random.IntN(b.terrain.width), b.random.IntN(b.terrain.height)}
	}
	return move(b.at.x+clamp(goal.x-b.at.x, stride), b.at.y+clamp(goal.y-b.at.y, stride))
}

// silly is a command that the rules are there to reject.
func (b *brain) silly() *pb.Command {
	switch b.random.IntN(5) {
	case 0:
		return move(b.terrain.width, b.at.y)
	case 1:
		return move((b.at.x+b.terrain.width/2)%b.terrain.width, b.at.y)
	case 2:
		return dig()
	case 3:
		return pickUp()
	default:
		return &pb.Command{Action: &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{PowerUp: "excalibur"}}}
	}
}

// learn takes in the answer to cmd.
func (b *brain) learn(now time.Time, cmd *pb.Command, outcome *pb.Outcome) {
	b.terrain.learn(b.player, cmd, outcome)
	if p := outcome.GetPlayer(); p != nil {
		b.at = cell{int(p.GetX()), int(p.GetY())}
	}
	switch outcome.GetVerdict() {
	case pb.Verdict_VERDICT_APPLIED:
		b.learnApplied(now, cmd, outcome)
	case pb.Verdict_VERDICT_REJECTED:
		b.learnRejected(now, cmd, outcome.GetRejection())
	}
}

func (b *brain) learnApplied(now time.Time, cmd *pb.Command, outcome *pb.Outcome) {
	switch action := cmd.GetAction().(type) {
	case *pb.Command_Join:
		b.away = false
	case *pb.Command_Leave:
		b.away = true
	case *pb.Command_PickUp:
		b.held = append(b.held, outcome.GetPickedUp())
	case *pb.Command_UsePowerUp:
		b.spend(action.UsePowerUp.GetPowerUp())
		b.cooling = now.Add(b.ruleset[action.UsePowerUp.GetPowerUp()].cooldown)
		b.feel(now, outcome.GetImpacts())
	}
}

// feel notes what a use did to its own user: a sprint, or a ray thrown back.
func (b *brain) feel(now time.Time, impacts []*pb.Impact) {
	const sprint, chill = 5 * time.Second, 2 * time.Second
	for _, impact := range impacts {
		if impact.GetPlayerId() != b.player {
			continue
		}
		switch {
		case impact.GetEffect() == pb.EffectKind_EFFECT_KIND_SPEED:
			b.stride, b.fast = int(impact.GetMagnitude()), now.Add(sprint)
		case impact.GetResult() == pb.Impact_RESULT_REFLECTED && impact.GetEffect() == pb.EffectKind_EFFECT_KIND_FREEZE:
			b.frozen = now.Add(chill)
		}
	}
}

func (b *brain) learnRejected(now time.Time, cmd *pb.Command, why pb.Rejection) {
	const moment = time.Second
	used := cmd.GetUsePowerUp().GetPowerUp()
	switch why {
	case pb.Rejection_REJECTION_FROZEN:
		b.frozen = now.Add(moment)
	case pb.Rejection_REJECTION_ON_COOLDOWN:
		b.cooling = now.Add(moment)
	case pb.Rejection_REJECTION_NOT_JOINED:
		b.away = true
	case pb.Rejection_REJECTION_TOO_FAR:
		b.fast = time.Time{}
	case pb.Rejection_REJECTION_NOT_HELD:
		b.spend(used)
	case pb.Rejection_REJECTION_INVENTORY_FULL:
		b.terrain.pass(b.at)
	case pb.Rejection_REJECTION_OUT_OF_RANGE, pb.Rejection_REJECTION_TARGET_HIDDEN, pb.Rejection_REJECTION_INVALID_TARGET:
		b.shelve(used)
	}
}

// spend takes one item of a name off the list.
func (b *brain) spend(name string) {
	if i := slices.Index(b.held, name); i >= 0 {
		b.held = slices.Delete(b.held, i, i+1)
	}
}

// shelve tries the other items first.
func (b *brain) shelve(name string) {
	if slices.Contains(b.held, name) {
		b.spend(name)
		b.held = append(b.held, name)
	}
}

func dig() *pb.Command    { return &pb.Command{Action: &pb.Command_Dig{Dig: &pb.Dig{}}} }
func pickUp() *pb.Command { return &pb.Command{Action: &pb.Command_PickUp{PickUp: &pb.PickUp{}}} }

func move(x, y int) *pb.Command {
	return &pb.Command{Action: &pb.Command_Move{Move: &pb.Move{X: uint32(x), Y: uint32(y)}}}
}

func clamp(n, limit int) int {
	return min(max(n, -limit), limit)
}
