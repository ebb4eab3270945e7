package rules

import (
	"fmt"
	"slices"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// check holds a ruleset as written against the rules, and collects what is wrong.
type check struct {
	file  string
	lines lines
	found []error
}

func (c *check) wrong(key, format string, args ...any) {
	c.found = append(c.found, &RulesetError{File: c.file, Line: c.lines.of(key), Key: key, Problem: fmt.Sprintf(format, args...)})
}

func (c *check) ruleset(written *rulesetFile) *Ruleset {
	const key = "power_up"
	r := &Ruleset{byName: make(map[string]int)}
	if n := len(written.PowerUp); n < 1 || n > MaxPowerUps {
		c.wrong(key, "a ruleset has 1 to %d power-ups; this one has %d", MaxPowerUps, n)
		return r
	}
	for i := range written.PowerUp {
		at := index(key, i)
		p := c.powerUp(at, &written.PowerUp[i])
		if other, doubled := r.byName[p.name]; doubled {
			c.wrong(join(at, "name"), "%q is the name of %s already", p.name, index(key, other))
		}
		r.byName[p.name] = i
		r.weightSum += p.weight // at most 16 times 2^32
		r.powerUps = append(r.powerUps, p)
	}
	if r.weightSum < 1 || r.weightSum > MaxWeightSum {
		c.wrong(join(index(key, len(r.powerUps)-1), "weight"), "the weights come to %d, they must come to 1 to %d", r.weightSum, int64(MaxWeightSum))
	}
	return r
}

func (c *check) powerUp(at string, written *powerUpEntry) powerUp {
	p := powerUp{name: written.Name, usableWhenFrozen: written.UsableWhileFrozen}
	if !validName(p.name) {
		c.wrong(join(at, "name"), "must be 1 to %d of [a-z0-9_]; this is %q", maxNameBytes, p.name)
	}
	p.weight = uint64(c.required(join(at, "weight"), written.Weight, 0, MaxWeightSum))
	p.target = targets[written.Target]
	if p.target == 0 {
		c.wrong(join(at, "target"), "must be self, player or area; this is %q", written.Target)
	}
	p.cooldownMs = uint32(c.optional(join(at, "cooldown_ms"), written.CooldownMs, 0, MaxCooldownMs))
	p.reach = c.reach(at, written, p.target)
	if n := len(written.Effects); n < 1 || n > MaxEffects {
		c.wrong(join(at, "effects"), "a power-up has 1 to %d effects; this one has %d", MaxEffects, n)
		return p
	}
	reveals := 0
	for i := range written.Effects {
		where := index(join(at, "effects"), i)
		e := c.effect(where, &written.Effects[i])
		c.aimed(where, e.kind, p.target)
		if e.kind == pb.EffectKind_EFFECT_KIND_REVEAL {
			if reveals++; reveals > 1 {
				c.wrong(join(where, "kind"), "a power-up has one reveal at most")
			}
		}
		p.hostile = p.hostile || isHostile(e.kind)
		p.effects = append(p.effects, e)
	}
	return p
}

// reach is the range, or for an area the radius.
func (c *check) reach(at string, written *powerUpEntry, on target) uint32 {
	within := c.optional(join(at, "range"), written.Range, 0, maxPowerUpRange)
	radius := c.optional(join(at, "radius"), written.Radius, 0, maxPowerUpRange)
	if on == targetArea {
		return uint32(radius)
	}
	if written.Radius != nil {
		c.wrong(join(at, "radius"), "only a power-up with target area has a radius")
	}
	return uint32(within)
}

// aimed checks what kinds of effect a target allows.
func (c *check) aimed(where string, kind pb.EffectKind, on target) {
	if isHostile(kind) && on == targetSelf {
		c.wrong(join(where, "kind"), "a hostile effect (freeze, steal, swap) needs target player or area")
	}
	if kind == pb.EffectKind_EFFECT_KIND_REVEAL && on != targetSelf {
		c.wrong(join(where, "kind"), "reveal needs target self")
	}
}

func (c *check) effect(at string, written *effectEntry) effect {
	kind, known := kinds[written.Kind]
	if !known {
		c.wrong(join(at, "kind"), "%q is no kind of effect", written.Kind)
		return effect{}
	}
	e := effect{kind: kind}
	least, most := magnitudes(kind)
	e.magnitude = uint8(c.optional(join(at, "magnitude"), written.Magnitude, least, most))
	if written.Magnitude == nil && least > 0 {
		c.wrong(join(at, "magnitude"), "%s needs one, %d to %d", written.Kind, least, most)
	}
	e.maxMagnitude = uint8(c.optional(join(at, "max_magnitude"), written.MaxMagnitude, 0, most))
	if written.MaxMagnitude != nil && e.magnitude > e.maxMagnitude {
		c.wrong(join(at, "magnitude"), "%d is over its own max_magnitude of %d", e.magnitude, e.maxMagnitude)
	}
	if !isTimed(kind) {
		if written.DurationMs != nil {
			c.wrong(join(at, "duration_ms"), "%s acts at once and has no duration", written.Kind)
		}
		return e
	}
	c.timing(at, written, &e)
	return e
}

// timing checks what only a timed effect has.
func (c *check) timing(at string, written *effectEntry, e *effect) {
	e.durationMs = uint32(c.required(join(at, "duration_ms"), written.DurationMs, 1, MaxDurationMs))
	// The bound keeps every end of an effect within the 32 bits of until_ms.
	e.maxMs = uint32(c.optional(join(at, "max_ms"), written.MaxMs, 1, MaxDurationMs))
	if written.MaxMs != nil && e.durationMs > e.maxMs {
		c.wrong(join(at, "duration_ms"), "%d is over its own max_ms of %d", e.durationMs, e.maxMs)
	}
	e.stacking = stackings[written.Stacking]
	switch {
	case e.stacking == 0:
		c.wrong(join(at, "stacking"), "%s needs refresh, extend, stack or ignore; this is %q", written.Kind, written.Stacking)
	case e.stacking == stackExtend && written.MaxMs == nil:
		c.wrong(join(at, "max_ms"), "stacking extend needs one")
	case e.stacking == stackStack && written.MaxMagnitude == nil:
		c.wrong(join(at, "max_magnitude"), "stacking stack needs one")
	}
}

// required and optional give a number within its bounds, or the least there is.
func (c *check) required(key string, value *int64, least, most int64) int64 {
	if value == nil {
		c.wrong(key, "is missing; it must be %d to %d", least, most)
		return least
	}
	return c.optional(key, value, least, most)
}

func (c *check) optional(key string, value *int64, least, most int64) int64 {
	if value == nil {
		return 0
	}
	if *value < least || *value > most {
		c.wrong(key, "must be %d to %d; this is %d", least, most, *value)
		return least
	}
	return *value
}

// magnitudes are the least and the largest of a kind.
func magnitudes(kind pb.EffectKind) (least, most int64) {
	switch kind {
	case pb.EffectKind_EFFECT_KIND_SHIELD, pb.EffectKind_EFFECT_KIND_SPEED:
		return 1, maxMagnitude
	case pb.EffectKind_EFFECT_KIND_MAGNET, pb.EffectKind_EFFECT_KIND_REVEAL:
		return 0, maxSearchRadius
	case pb.EffectKind_EFFECT_KIND_STEAL:
		return 0, maxStolenPercent
	default:
		return 0, maxMagnitude
	}
}

const maxNameBytes = 32

func validName(name string) bool {
	return len(name) >= 1 && len(name) <= maxNameBytes && !slices.ContainsFunc([]byte(name), func(c byte) bool {
		return c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9')
	})
}

var targets = map[string]target{"self": targetSelf, "player": targetPlayer, "area": targetArea}

var stackings = map[string]stacking{
	"refresh": stackRefresh, "extend": stackExtend, "stack": stackStack, "ignore": stackIgnore,
}

var kinds = map[string]pb.EffectKind{
	"shield":   pb.EffectKind_EFFECT_KIND_SHIELD,
	"reflect":  pb.EffectKind_EFFECT_KIND_REFLECT,
	"freeze":   pb.EffectKind_EFFECT_KIND_FREEZE,
	"speed":    pb.EffectKind_EFFECT_KIND_SPEED,
	"loot":     pb.EffectKind_EFFECT_KIND_LOOT,
	"magnet":   pb.EffectKind_EFFECT_KIND_MAGNET,
	"cloak":    pb.EffectKind_EFFECT_KIND_CLOAK,
	"steal":    pb.EffectKind_EFFECT_KIND_STEAL,
	"swap":     pb.EffectKind_EFFECT_KIND_SWAP,
	"teleport": pb.EffectKind_EFFECT_KIND_TELEPORT,
	"reveal":   pb.EffectKind_EFFECT_KIND_REVEAL,
	"cleanse":  pb.EffectKind_EFFECT_KIND_CLEANSE,
}
