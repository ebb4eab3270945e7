package rules

import (
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// The bounds of a ruleset ("classic.toml").
const (
	MaxRulesetBytes   = 64 << 10
	maxPowerUps       = 16
	maxEffects        = 4 // of one power-up
	maxDurationMs     = 1 << 30
	maxCooldownMs     = 1 << 30
	maxWeightSum      = 1 << 32
	maxMagnitude      = 255
	maxSearchRadius   = 16 // of MAGNET and REVEAL
	maxStolenPercent  = 100
	maxPowerUpRange   = 1<<32 - 1
	maxTouched        = 64 // treasures or players that one command reaches
	maxHeld           = 9  // of one kind
	worthStep         = 10 // treasures are worth 10, 20 … 100
	worthMax          = 100
	percent           = 100
	maxScoreSum       = 1 << 53
	standingsOfRecord = 100
)

// Ruleset is a ruleset file, parsed. It never changes.
type Ruleset struct {
	source    []byte
	hash      string
	powerUps  []powerUp
	byName    map[string]int
	weightSum uint64
}

// Hash is the SHA-256 of the file's bytes, in hex.
func (r *Ruleset) Hash() string { return r.hash }

// Source is the file's bytes. They must not be changed.
func (r *Ruleset) Source() []byte { return r.source }

// target says on whom a power-up is used.
type target uint8

const (
	targetSelf target = iota + 1
	targetPlayer
	targetArea
)

// stacking says what a timed effect does where its kind is already on.
type stacking uint8

const (
	stackRefresh stacking = iota + 1
	stackExtend
	stackStack
	stackIgnore
)

type powerUp struct {
	name             string
	weight           uint64
	target           target
	reach            uint32 // the range of a `player`, 0: any; the radius of an `area`, 0: the own cell
	cooldownMs       uint32
	usableWhenFrozen bool
	hostile          bool // at least one effect is
	effects          []effect
}

type effect struct {
	kind         pb.EffectKind
	magnitude    uint8
	durationMs   uint32
	stacking     stacking
	maxMs        uint32
	maxMagnitude uint8
}

// isTimed tells the kinds that hold a slot from those that act at once.
func isTimed(kind pb.EffectKind) bool {
	return kind >= pb.EffectKind_EFFECT_KIND_SHIELD && kind <= pb.EffectKind_EFFECT_KIND_CLOAK
}

func isHostile(kind pb.EffectKind) bool {
	return kind == pb.EffectKind_EFFECT_KIND_FREEZE ||
		kind == pb.EffectKind_EFFECT_KIND_STEAL ||
		kind == pb.EffectKind_EFFECT_KIND_SWAP
}

// drawPowerUp draws a power-up by weight, in ruleset order.
func (r *Ruleset) drawPowerUp(random *splitMix) uint32 {
	drawn := random.below(r.weightSum)
	sum := uint64(0)
	for i := range r.powerUps {
		sum += r.powerUps[i].weight
		if sum > drawn {
			return uint32(i)
		}
	}
	panic("rules: a draw below the sum of weights is under the last running sum")
}
