// Package audit holds what callers were answered against what the aggregator
// counted: nothing answered may be missing, nothing may be counted twice.
//
// The two know of each other only what both see: a command's request_id and the
// sequence at which it was applied. Neither keeps a list of a million of them.
// Both keep a count and a sum of [Mark], per player and hunt: sets that are equal
// have equal sums, in whatever order they came and however often they were read,
// and sets that differ have equal sums once in 2^64.
//
// What must stay true: the comparison is a pure function of a [Report] and what a
// [View] shows; a report of nothing is not clean.
package audit

import (
	"encoding/binary"
	"encoding/json"
	"os"

	"github.com/cespare/xxhash/v2"
)

// Report is what callers, as the bots, know of the hunts they played.
type Report struct {
	Seed  uint64 `json:"seed,string"`
	Hunts []Hunt `json:"hunts"`
	// Unheard counts commands whose fate nobody ever learned.
	Unheard int `json:"unheard"`
	// FailedCalls counts calls with a command that failed, whether or not a repeated one was answered.
	FailedCalls int `json:"failed_calls"`
}

// Hunt is one hunt of a report.
type Hunt struct {
	ID      string   `json:"hunt_id"`
	Ruleset string   `json:"ruleset,omitempty"`
	Players []Player `json:"players"`
}

// Player is what one player was answered in one hunt.
type Player struct {
	ID uint64 `json:"player_id,string"`
	// Answered are the player's own commands, Joins apart, that were answered
	// APPLIED or DUPLICATE, and Marks the wrapping sum of [Mark] over them: two
	// readers who counted the same set have the same sum, in whatever order.
	Answered uint64 `json:"answered"`
	Marks    uint64 `json:"marks,string"`
	// Version and Score are those of the last answer. Version counts every
	// command applied, the matchmaker's Join included.
	Version uint32 `json:"version"`
	Score   uint64 `json:"score,string"`
	// Final says that the last answer was HUNT_ENDED: nothing came after it.
	Final bool `json:"final"`
	// Unheard are commands whose fate was never learned.
	Unheard int `json:"unheard"`
}

// HuntsByRuleset counts the hunts of each ruleset.
func (r *Report) HuntsByRuleset() map[string]int {
	hunts := make(map[string]int)
	for i := range r.Hunts {
		hunts[r.Hunts[i].Ruleset]++
	}
	return hunts
}

// Mark is one applied command in a sum of marks: XXH64 over request_id and
// sequence, little-endian. Joins are left out of sums, for the matchmaker sends
// a player's first and alone knows where it landed.
func Mark(requestID, sequence uint64) uint64 {
	var bytes [16]byte
	binary.LittleEndian.PutUint64(bytes[:8], requestID)
	binary.LittleEndian.PutUint64(bytes[8:], sequence)
	return xxhash.Sum64(bytes[:])
}

// WriteFile writes the report as JSON.
func (r *Report) WriteFile(path string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}

// ReadFile reads what WriteFile wrote.
func ReadFile(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	report := &Report{}
	return report, json.Unmarshal(text, report)
}
