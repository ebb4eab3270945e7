package rules

import (
	"fmt"
	"slices"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// What the words of a ruleset are, for complaints.
const (
	nameWords     = "1..32 of [a-z0-9_]"
	targetWords   = "self, player or area"
	stackingWords = "refresh, extend, stack or ignore"
	kindWords     = "shield, reflect, freeze, speed, loot, magnet, cloak, steal, swap, teleport, reveal or cleanse"
)

// check holds a ruleset as written against the rules, and collects what is wrong.
type check struct {
	file  string
	lines lines
	found RulesetErrors
}

// at notes something wrong. Pieces of the file are cut short, for they may be as
// long as the file.
func (c *check) at(line int, key, format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = cut(text)
		}
	}
	c.found = append(c.found, &RulesetError{File: c.file, Line: line, Key: cut(key), Problem: fmt.Sprintf(format, args...)})
}

func (c *check) ruleset(root section) *Ruleset {
	const key = "power_up"
	root.unknown(key)
	r := &Ruleset{byName: make(map[string]int)}
	entries, _ := root.tables(key, maxPowerUps)
	weighed := 0
	for i, entry := range entries {
		p, weightOK := c.powerUp(entry)
		if other, doubled := r.byName[p.name]; doubled && p.name != "" {
			entry.wrong("name", "is %q, which %s has", p.name, index(key, other))
		}
		r.byName[p.name] = i
		if weightOK {
			weighed++
		}
		if sum := r.weightSum + p.weight; sum > maxWeightSum && r.weightSum <= maxWeightSum {
			entry.wrong("weight", "brings the sum of weights to %d, which must be 1..%d", sum, int64(maxWeightSum))
		}
		r.weightSum += p.weight // at most 16 times 2^32
		r.powerUps = append(r.powerUps, p)
	}
	if weighed > 0 && weighed == len(entries) && r.weightSum == 0 {
		root.wrong(key, "has a weight of 0 throughout, so that no cache could be drawn")
	}
	return r
}

func (c *check) powerUp(s section) (p powerUp, weightOK bool) {
	s.unknown("name", "weight", "target", "range", "radius", "cooldown_ms", "usable_while_frozen", "effects")
	p.name = c.name(s)
	weight, weightOK := int64(0), s.needs("weight", fmt.Sprintf("0..%d", int64(maxWeightSum)))
	if weightOK {
		weight, weightOK = s.number("weight", 0, maxWeightSum)
	}
	cooldown, _ := s.number("cooldown_ms", 0, maxCooldownMs)
	p.weight, p.cooldownMs = uint64(weight), uint32(cooldown)
	p.usableWhenFrozen, _ = s.flag("usable_while_frozen")
	p.target, p.reach = c.target(s)
	effects, _ := s.tables("effects", maxEffects)
	reveals := 0
	for _, entry := range effects {
		e, ok := c.effect(entry, p.target)
		if !ok {
			continue
		}
		if e.kind == pb.EffectKind_EFFECT_KIND_REVEAL {
			if reveals++; reveals > 1 {
				entry.wrong("kind", "is reveal again, and a power-up has one at most")
			}
		}
		p.hostile = p.hostile || isHostile(e.kind)
		p.effects = append(p.effects, e)
	}
	return p, weightOK
}

// name is "" if it cannot be taken.
func (c *check) name(s section) string {
	if !s.needs("name", nameWords) {
		return ""
	}
	name, ok := s.text("name")
	if ok && !validName(name) {
		s.wrong("name", "is %q, and must be "+nameWords, name)
		return ""
	}
	return name
}

// target is 0 if it cannot be taken. Beside it is the range or, for an area, the
// radius.
func (c *check) target(s section) (on target, reach uint32) {
	within, _ := s.number("range", 0, maxPowerUpRange)
	radius, _ := s.number("radius", 0, maxPowerUpRange)
	if !s.needs("target", targetWords) {
		return 0, 0
	}
	text, ok := s.text("target")
	if !ok {
		return 0, 0
	}
	switch on = targets[text]; on {
	case 0:
		s.wrong("target", "is %q, and must be "+targetWords, text)
		return 0, 0
	case targetArea:
		return on, uint32(radius)
	}
	if s.has("radius") {
		s.wrong("radius", "is for the target area alone")
	}
	return on, uint32(within)
}

// effect gives false if its kind is not known.
func (c *check) effect(s section, on target) (e effect, ok bool) {
	s.unknown("kind", "magnitude", "duration_ms", "stacking", "max_ms", "max_magnitude")
	if e.kind, ok = c.kind(s, on); !ok {
		return e, false
	}
	least, most := magnitudes(e.kind)
	magnitude, magnitudeOK := s.number("magnitude", least, most)
	if least > 0 {
		s.needs("magnitude", fmt.Sprintf("%d..%d", least, most))
	}
	maxMagnitude, maxMagnitudeOK := s.number("max_magnitude", 0, most)
	if magnitudeOK && maxMagnitudeOK {
		s.withinOwn("magnitude", magnitude, "max_magnitude", maxMagnitude)
	}
	maxMs, maxMsOK := s.number("max_ms", 0, maxDurationMs)
	e.magnitude, e.maxMagnitude, e.maxMs = uint8(magnitude), uint8(maxMagnitude), uint32(maxMs)
	if !isTimed(e.kind) {
		if s.has("duration_ms") {
			s.wrong("duration_ms", "is for kinds that last, and this one acts at once")
		}
		_, _ = s.text("stacking") // says nothing here, and is no error in the rules
		return e, true
	}
	if s.needs("duration_ms", fmt.Sprintf("1..%d", maxDurationMs)) {
		// The bound keeps every end of an effect within the 32 bits of until_ms.
		durationMs, durationOK := s.number("duration_ms", 1, maxDurationMs)
		if durationOK && maxMsOK {
			s.withinOwn("duration_ms", durationMs, "max_ms", maxMs)
		}
		e.durationMs = uint32(durationMs)
	}
	e.stacking = c.stacking(s, most)
	return e, true
}

// withinOwn complains of a number over the bound that the file itself sets.
func (s section) withinOwn(key string, number int64, bound string, most int64) {
	if s.has(bound) && number > most {
		s.wrong(key, "is %d, and must be at most its own %s, %d", number, bound, most)
	}
}

func (c *check) kind(s section, on target) (kind pb.EffectKind, ok bool) {
	if !s.needs("kind", kindWords) {
		return 0, false
	}
	text, ok := s.text("kind")
	if !ok {
		return 0, false
	}
	if kind, ok = kinds[text]; !ok {
		s.wrong("kind", "is %q, and must be "+kindWords, text)
		return 0, false
	}
	if on == targetSelf && isHostile(kind) {
		s.wrong("kind", "is hostile, and must have the target player or area")
	}
	if on > targetSelf && kind == pb.EffectKind_EFFECT_KIND_REVEAL {
		s.wrong("kind", "is reveal, and must have the target self")
	}
	return kind, true
}

// stacking is 0 if it cannot be taken. Magnitudes go to most.
func (c *check) stacking(s section, most int64) stacking {
	if !s.needs("stacking", stackingWords) {
		return 0
	}
	text, ok := s.text("stacking")
	if !ok {
		return 0
	}
	stacking := stackings[text]
	switch stacking {
	case 0:
		s.wrong("stacking", "is %q, and must be "+stackingWords, text)
	case stackExtend:
		s.needs("max_ms", fmt.Sprintf("0..%d, for stacking is extend", maxDurationMs))
	case stackStack:
		s.needs("max_magnitude", fmt.Sprintf("0..%d, for stacking is stack", most))
	case stackRefresh, stackIgnore:
	}
	return stacking
}

// cut is a text as complaints show it.
func cut(text string) string {
	const maxRunes = 100
	runes := 0
	for i := range text {
		if runes++; runes > maxRunes {
			return text[:i] + "…"
		}
	}
	return text
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
