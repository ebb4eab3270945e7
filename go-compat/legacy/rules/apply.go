package rules

import (
	"math"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// turn is one command on its way through the rules.
type turn struct {
	*Hunt
	cmd     *Command
	now     uint32 // since the hunt's start
	me      int    // place in the roster; nobody if the hunt does not know the player
	outcome *pb.Outcome
}

const nobody = -1

// none is the rejection of an action that was done.
const none = pb.Rejection_REJECTION_UNSPECIFIED

// Apply takes one command to its outcome, as of atMs ("Order of the checks" from
// the remembered requests on). Only an APPLIED one changes the hunt, and takes a
// sequence. It fails, and changes nothing, only with [ErrStampFell].
//
// A hunt whose time is up answers HUNT_ENDED; the owner records its end first.
func (h *Hunt) Apply(cmd Command, atMs int64) (*pb.Outcome, error) {
	if err := h.checkStamp(atMs); err != nil {
		return nil, err
	}
	t := turn{Hunt: h, cmd: &cmd, me: nobody, outcome: &pb.Outcome{RequestId: cmd.RequestID}}
	if place, known := h.roster.index[cmd.PlayerID]; known {
		t.me = place
		if t.seenBefore() {
			return t.outcome, nil
		}
	}
	if h.ended || atMs >= h.timeIsUpAt() {
		return t.reject(pb.Rejection_REJECTION_HUNT_ENDED), nil
	}
	t.now = uint32(atMs - h.startsAt) // under duration_ms, so it fits
	if rejection := t.act(); rejection != none {
		return t.reject(rejection), nil
	}
	t.applied(atMs)
	return t.outcome, nil
}

// seenBefore answers a request that is remembered, or that may have been.
func (t *turn) seenBefore() bool {
	memory := &t.roster.remembered[t.me]
	if sequence, ok := memory.at(t.cmd.RequestID); ok {
		t.outcome.Verdict = pb.Verdict_VERDICT_DUPLICATE
		t.outcome.Sequence = sequence
		t.outcome.Player = t.player().summary()
		return true
	}
	if memory.tooOld(t.cmd.RequestID) {
		t.outcome.Verdict = pb.Verdict_VERDICT_REFUSED
		t.outcome.Refusal = &pb.Refusal{Reason: pb.Refusal_REASON_REQUEST_TOO_OLD}
		return true
	}
	return false
}

func (t *turn) reject(why pb.Rejection) *pb.Outcome {
	t.outcome.Verdict, t.outcome.Rejection = pb.Verdict_VERDICT_REJECTED, why
	if t.me != nobody {
		t.outcome.Player = t.player().summary()
	}
	return t.outcome
}

// applied is what every action that was done has in common.
func (t *turn) applied(atMs int64) {
	t.sequence++
	t.lastAt = atMs
	me := t.player()
	me.version++
	t.roster.remembered[t.me].add(t.cmd.RequestID, t.sequence)
	t.digest.touch(t.me)

	t.outcome.Verdict = pb.Verdict_VERDICT_APPLIED
	t.outcome.Epoch, t.outcome.Sequence = t.epoch, t.sequence
	t.outcome.Player = me.summary()
}

// player is the one whose command it is. The pointer holds until somebody joins.
func (t *turn) player() *player { return &t.roster.players[t.me] }

// act checks and does the action: it changes nothing when it answers a rejection.
func (t *turn) act() pb.Rejection {
	present, version := false, uint32(0) // of a player not known
	if t.me != nobody {
		present, version = t.player().present(), t.player().version
	}
	if !present && t.cmd.Action != Join {
		return pb.Rejection_REJECTION_NOT_JOINED
	}
	if version == math.MaxUint32 || (t.cmd.ExpectedVersion != 0 && t.cmd.ExpectedVersion != version) {
		return pb.Rejection_REJECTION_VERSION_MISMATCH
	}
	switch t.cmd.Action {
	case Join:
		return t.join(present)
	case Leave:
		return t.leave()
	case Move:
		return t.move()
	case Dig:
		return t.dig()
	case PickUp:
		return t.pickUp()
	case UsePowerUp:
		return t.use()
	}
	panic("rules: a command without an action")
}

func (t *turn) join(present bool) pb.Rejection {
	if present {
		return none
	}
	most := int(t.settings.GetMaxPlayers())
	if t.roster.present >= most || (t.me == nobody && len(t.roster.ids) >= 2*most) {
		return pb.Rejection_REJECTION_HUNT_FULL
	}
	if t.me == nobody {
		x := t.random.below(uint64(t.board.width))
		y := t.random.below(uint64(t.board.height))
		t.me = t.roster.add(t.cmd.PlayerID, player{x: uint16(x), y: uint16(y)})
		t.digest.join(t.me)
	}
	t.player().setPresent(true)
	t.roster.present++
	return none
}

func (t *turn) leave() pb.Rejection {
	t.player().setPresent(false)
	t.roster.present--
	return none
}

func (t *turn) move() pb.Rejection {
	if t.cmd.X >= t.board.width || t.cmd.Y >= t.board.height {
		return pb.Rejection_REJECTION_OUT_OF_BOUNDS
	}
	me, step := t.player(), uint32(1)
	if me.has(pb.EffectKind_EFFECT_KIND_FREEZE, t.now) {
		return pb.Rejection_REJECTION_FROZEN
	}
	if me.has(pb.EffectKind_EFFECT_KIND_SPEED, t.now) {
		step = uint32(me.magnitude[slot(pb.EffectKind_EFFECT_KIND_SPEED)])
	}
	if me.distance(t.cmd.X, t.cmd.Y) > step {
		return pb.Rejection_REJECTION_TOO_FAR
	}
	me.x, me.y = uint16(t.cmd.X), uint16(t.cmd.Y)
	return none
}

func (t *turn) dig() pb.Rejection {
	me, radius := t.player(), uint32(0)
	if me.has(pb.EffectKind_EFFECT_KIND_FREEZE, t.now) {
		return pb.Rejection_REJECTION_FROZEN
	}
	if me.has(pb.EffectKind_EFFECT_KIND_MAGNET, t.now) {
		radius = uint32(me.magnitude[slot(pb.EffectKind_EFFECT_KIND_MAGNET)])
	}
	found := t.treasures.within(t.board, me.x, me.y, radius, maxTouched)
	if len(found) == 0 {
		return pb.Rejection_REJECTION_NOTHING_HERE
	}
	for _, i := range found {
		dug := t.treasureAt(i)
		dug.Value = me.worth(dug.Value, t.now)
		me.score += uint64(dug.Value)
		t.outcome.Treasures = append(t.outcome.Treasures, dug)
		t.digest.take(t.board, seedTreasure, &t.treasures, i)
		t.treasures.take(i)
	}
	me.end(pb.EffectKind_EFFECT_KIND_CLOAK)
	return none
}

// worth is a treasure's value to a player: with LOOT, value * magnitude / 100.
func (p *player) worth(value, now uint32) uint32 {
	if !p.has(pb.EffectKind_EFFECT_KIND_LOOT, now) {
		return value
	}
	return uint32(uint64(value) * uint64(p.magnitude[slot(pb.EffectKind_EFFECT_KIND_LOOT)]) / percent)
}

func (h *Hunt) treasureAt(i int) *pb.Treasure {
	x, y := h.board.place(h.treasures.cells[i])
	return &pb.Treasure{X: x, Y: y, Value: h.treasures.values[i]}
}

func (t *turn) pickUp() pb.Rejection {
	me := t.player()
	if me.has(pb.EffectKind_EFFECT_KIND_FREEZE, t.now) {
		return pb.Rejection_REJECTION_FROZEN
	}
	i, ok := t.caches.find(t.board.cell(me.x, me.y))
	if !ok {
		return pb.Rejection_REJECTION_NOTHING_HERE
	}
	kind := int(t.caches.values[i])
	if me.held(kind) >= maxHeld {
		return pb.Rejection_REJECTION_INVENTORY_FULL
	}
	t.digest.take(t.board, seedCache, &t.caches, i)
	t.caches.take(i)
	me.gain(kind)
	t.outcome.PickedUp = t.ruleset.powerUps[kind].name
	return none
}
