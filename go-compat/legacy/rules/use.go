package rules

import (
	"math/bits"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// use is UsePowerUp: the checks in their order, the price, then the effects.
func (t *turn) use() pb.Rejection {
	index, ok := t.ruleset.byName[t.cmd.PowerUp]
	if !ok {
		return pb.Rejection_REJECTION_UNKNOWN_POWER_UP
	}
	item, me := &t.ruleset.powerUps[index], t.player()
	switch {
	case me.held(index) == 0:
		return pb.Rejection_REJECTION_NOT_HELD
	case me.cooldownUntil > t.now:
		return pb.Rejection_REJECTION_ON_COOLDOWN
	case me.has(pb.EffectKind_EFFECT_KIND_FREEZE, t.now) && !item.usableWhenFrozen:
		return pb.Rejection_REJECTION_FROZEN
	}
	targets, rejection := t.aim(item)
	if rejection != none {
		return rejection
	}
	me.spend(index)
	if item.cooldownMs > 0 {
		me.cooldownUntil = t.now + item.cooldownMs
	}
	if item.hostile {
		me.end(pb.EffectKind_EFFECT_KIND_CLOAK)
	}
	for i := range item.effects {
		for _, target := range targets {
			t.resolve(&item.effects[i], target)
		}
	}
	return none
}

// aim gives the places of those whom a power-up reaches.
func (t *turn) aim(item *powerUp) ([]int, pb.Rejection) {
	switch item.target {
	case targetSelf:
		if t.cmd.Target != 0 && t.cmd.Target != t.cmd.PlayerID {
			return nil, pb.Rejection_REJECTION_INVALID_TARGET
		}
		return []int{t.me}, none
	case targetPlayer:
		return t.aimAtPlayer(item)
	case targetArea:
		if t.cmd.Target != 0 {
			return nil, pb.Rejection_REJECTION_INVALID_TARGET
		}
		return t.around(item.reach), none
	}
	panic("rules: a power-up without a target")
}

func (t *turn) aimAtPlayer(item *powerUp) ([]int, pb.Rejection) {
	place, known := t.roster.index[t.cmd.Target]
	if !known || place == t.me || !t.roster.players[place].present() {
		return nil, pb.Rejection_REJECTION_INVALID_TARGET
	}
	me, other := t.player(), &t.roster.players[place]
	if other.has(pb.EffectKind_EFFECT_KIND_CLOAK, t.now) {
		return nil, pb.Rejection_REJECTION_TARGET_HIDDEN
	}
	if item.reach != 0 && me.distance(uint32(other.x), uint32(other.y)) > item.reach {
		return nil, pb.Rejection_REJECTION_OUT_OF_RANGE
	}
	return []int{place}, none
}

// around gives the present players but the user within radius who are not
// cloaked, by ascending id, the first 64.
func (t *turn) around(radius uint32) []int {
	var reached []int
	me := t.player()
	for place := range t.roster.players {
		other := &t.roster.players[place]
		if place != t.me && other.present() && me.distance(uint32(other.x), uint32(other.y)) <= radius &&
			!other.has(pb.EffectKind_EFFECT_KIND_CLOAK, t.now) {
			reached = append(reached, place)
		}
	}
	t.roster.sortByID(reached)
	return reached[:min(len(reached), maxTouched)]
}

// resolve is "Resolving one effect of A on T". A hostile effect may turn on its
// author, once, and may be blocked; any other just lands.
func (t *turn) resolve(e *effect, on int) {
	author, landed, result := t.me, on, pb.Impact_RESULT_APPLIED
	if isHostile(e.kind) {
		if first := &t.roster.players[on]; first.has(pb.EffectKind_EFFECT_KIND_REFLECT, t.now) {
			first.end(pb.EffectKind_EFFECT_KIND_REFLECT)
			t.digest.touch(on)
			author, landed, result = on, t.me, pb.Impact_RESULT_REFLECTED
		}
		if t.blocked(landed) {
			t.impact(landed, e.kind, pb.Impact_RESULT_BLOCKED)
			return
		}
	}
	t.digest.touch(landed) // the author is the user, or was touched above
	if isTimed(e.kind) {
		t.landTimed(e, landed, result)
		return
	}
	t.landInstant(e, author, landed, result)
}

// blocked spends a SHIELD's charge, if there is one. At 0 the SHIELD ends.
func (t *turn) blocked(place int) bool {
	p := &t.roster.players[place]
	if !p.has(pb.EffectKind_EFFECT_KIND_SHIELD, t.now) {
		return false
	}
	charges := &p.magnitude[slot(pb.EffectKind_EFFECT_KIND_SHIELD)]
	if *charges--; *charges == 0 {
		p.end(pb.EffectKind_EFFECT_KIND_SHIELD)
	}
	t.digest.touch(place)
	return true
}

func (t *turn) landTimed(e *effect, landed int, result pb.Impact_Result) {
	p := &t.roster.players[landed]
	if !p.set(e, t.now) {
		t.impact(landed, e.kind, pb.Impact_RESULT_IGNORED)
		return
	}
	impact := t.impact(landed, e.kind, result)
	impact.Magnitude = uint32(p.magnitude[slot(e.kind)])
	impact.UntilMs = p.until[slot(e.kind)]
}

// set puts a timed effect on; false if one that is on has it ignored.
func (p *player) set(e *effect, now uint32) bool {
	until, magnitude := &p.until[slot(e.kind)], &p.magnitude[slot(e.kind)]
	end := now + e.durationMs // both under 2^31
	if *until <= now {
		*until, *magnitude = end, e.magnitude
		return true
	}
	switch e.stacking {
	case stackRefresh:
		*until, *magnitude = max(*until, end), e.magnitude
	case stackExtend:
		// 64 bits: two ends may come to over 2^32.
		longer := min(uint64(*until)+uint64(e.durationMs), uint64(now)+uint64(e.maxMs))
		*until, *magnitude = max(*until, uint32(longer)), max(*magnitude, e.magnitude)
	case stackStack:
		more := min(uint32(*magnitude)+uint32(e.magnitude), uint32(e.maxMagnitude))
		*until, *magnitude = max(*until, end), max(*magnitude, uint8(more))
	case stackIgnore:
		return false
	}
	return true
}

func (t *turn) landInstant(e *effect, author, landed int, result pb.Impact_Result) {
	on, by := &t.roster.players[landed], &t.roster.players[author]
	switch e.kind {
	case pb.EffectKind_EFFECT_KIND_STEAL:
		moved := share(on.score, e.magnitude)
		on.score -= moved
		by.score += moved
		t.impact(landed, e.kind, result).ScoreChange = -int64(moved)
		t.impact(author, e.kind, result).ScoreChange = int64(moved)
	case pb.EffectKind_EFFECT_KIND_SWAP:
		on.x, on.y, by.x, by.y = by.x, by.y, on.x, on.y
		t.impact(landed, e.kind, result)
		t.impact(author, e.kind, result)
	case pb.EffectKind_EFFECT_KIND_TELEPORT:
		on.x = uint16(t.random.below(uint64(t.board.width)))
		on.y = uint16(t.random.below(uint64(t.board.height)))
		t.impact(landed, e.kind, result)
	case pb.EffectKind_EFFECT_KIND_REVEAL:
		for _, i := range t.treasures.within(t.board, on.x, on.y, uint32(e.magnitude), maxTouched) {
			t.outcome.Treasures = append(t.outcome.Treasures, t.treasureAt(i))
		}
		t.impact(landed, e.kind, result)
	case pb.EffectKind_EFFECT_KIND_CLEANSE:
		on.end(pb.EffectKind_EFFECT_KIND_FREEZE)
		t.impact(landed, e.kind, result)
	default:
		panic("rules: " + e.kind.String() + " is no instant kind")
	}
}

// share is percent of a score, rounded down, in 128 bits.
func share(score uint64, of uint8) uint64 {
	high, low := bits.Mul64(score, uint64(of))
	part, _ := bits.Div64(high, low, percent) // of is at most 100, so high is under 100
	return part
}

// impact adds one resolution to the outcome, with the player's place by now.
func (t *turn) impact(place int, kind pb.EffectKind, result pb.Impact_Result) *pb.Impact {
	p := &t.roster.players[place]
	impact := &pb.Impact{
		PlayerId: t.roster.ids[place],
		Effect:   kind,
		Result:   result,
		X:        uint32(p.x),
		Y:        uint32(p.y),
	}
	t.outcome.Impacts = append(t.outcome.Impacts, impact)
	return impact
}
