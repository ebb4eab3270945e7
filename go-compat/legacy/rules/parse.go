package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// RulesetError is one thing wrong with a ruleset file.
type RulesetError struct {
	File    string
	Line    int    // from 1
	Key     string // as power_up[2].effects[0].magnitude; "" where the file is no TOML
	Problem string
}

func (e *RulesetError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Key, e.Problem)
}

// ParseRuleset reads a ruleset file. Its errors are [*RulesetError]s, joined: all
// that the rules forbid at once, or the first thing that is not even TOML.
func ParseRuleset(file string, data []byte) (*Ruleset, error) {
	if len(data) > MaxRulesetBytes {
		return nil, &RulesetError{File: file, Line: 1, Problem: fmt.Sprintf("has %d bytes, at most %d are taken", len(data), MaxRulesetBytes)}
	}
	var written rulesetFile
	decoder := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields()
	if err := decoder.Decode(&written); err != nil {
		return nil, tomlError(file, err)
	}
	check := &check{file: file, lines: linesOf(data)}
	ruleset := check.ruleset(&written)
	if len(check.found) > 0 {
		return nil, errors.Join(check.found...)
	}
	hash := sha256.Sum256(data)
	ruleset.source, ruleset.hash = slices.Clone(data), hex.EncodeToString(hash[:])
	return ruleset, nil
}

// tomlError says what the decoder found in our form.
func tomlError(file string, err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		found := make([]error, 0, len(unknown.Errors))
		for i := range unknown.Errors {
			found = append(found, decodeError(file, &unknown.Errors[i], "is not a key of a ruleset"))
		}
		return errors.Join(found...)
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		return decodeError(file, wrong, strings.TrimPrefix(wrong.Error(), "toml: "))
	}
	return &RulesetError{File: file, Line: 1, Problem: err.Error()}
}

func decodeError(file string, at *toml.DecodeError, problem string) *RulesetError {
	line, _ := at.Position()
	return &RulesetError{File: file, Line: line, Key: strings.Join(at.Key(), "."), Problem: problem}
}

// The file as it is written. Numbers are pointers, so that one that is absent is
// told from 0, and signed and wide, so that one out of bounds is named as such.
type (
	rulesetFile struct {
		PowerUp []powerUpEntry `toml:"power_up"`
	}
	powerUpEntry struct {
		Name              string        `toml:"name"`
		Weight            *int64        `toml:"weight"`
		Target            string        `toml:"target"`
		Range             *int64        `toml:"range"`
		Radius            *int64        `toml:"radius"`
		CooldownMs        *int64        `toml:"cooldown_ms"`
		UsableWhileFrozen bool          `toml:"usable_while_frozen"`
		Effects           []effectEntry `toml:"effects"`
	}
	effectEntry struct {
		Kind         string `toml:"kind"`
		Magnitude    *int64 `toml:"magnitude"`
		DurationMs   *int64 `toml:"duration_ms"`
		Stacking     string `toml:"stacking"`
		MaxMs        *int64 `toml:"max_ms"`
		MaxMagnitude *int64 `toml:"max_magnitude"`
	}
)
