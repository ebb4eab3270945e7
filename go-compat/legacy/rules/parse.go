package rules

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"
)

// maxFaults are told of one file, the first by line: it may have thousands.
const maxFaults = 50

// RulesetError is one thing wrong with a ruleset file.
type RulesetError struct {
	File    string
	Line    int    // from 1
	Key     string // as power_up[2].effects[0].magnitude; "" where it is no single key
	Problem string
}

func (e *RulesetError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Problem)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Key, e.Problem)
}

// RulesetErrors are the [*RulesetError]s of a file, by line: one at least.
type RulesetErrors []*RulesetError

func (e RulesetErrors) Error() string { return errors.Join(e.Unwrap()...).Error() }

// Unwrap gives them one by one.
func (e RulesetErrors) Unwrap() []error {
	all := make([]error, len(e))
	for i, err := range e {
		all[i] = err
	}
	return all
}

// ParseRuleset reads a ruleset file. Its error is [RulesetErrors]: all that the
// rules forbid at once, or the first thing that is not even TOML.
func ParseRuleset(file string, data []byte) (*Ruleset, error) {
	c := &check{file: file}
	ruleset := c.parse(data)
	if len(c.found) > 0 {
		slices.SortStableFunc(c.found, func(a, b *RulesetError) int { return cmp.Compare(a.Line, b.Line) })
		return nil, c.found[:min(len(c.found), maxFaults)]
	}
	hash := sha256.Sum256(data)
	ruleset.source, ruleset.hash = slices.Clone(data), hex.EncodeToString(hash[:])
	return ruleset, nil
}

func (c *check) parse(data []byte) *Ruleset {
	if len(data) > MaxRulesetBytes {
		c.at(1, "", "has more than %d bytes, which is the limit of a ruleset", MaxRulesetBytes)
		return nil
	}
	if bad := notUTF8(data); bad >= 0 {
		c.at(newLines(data).at(bad), "", "is no UTF-8")
		return nil
	}
	c.lines = linesOf(data)
	var written map[string]any
	if err := toml.Unmarshal(data, &written); err != nil {
		c.noTOML(err)
		return nil
	}
	return c.ruleset(section{check: c, keys: written})
}

// notUTF8 is where the first byte stands that is no UTF-8, or -1.
func notUTF8(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// noTOML says what the decoder found in our form.
func (c *check) noTOML(err error) {
	problem := "no TOML: " + strings.TrimPrefix(err.Error(), "toml: ")
	var wrong *toml.DecodeError
	if !errors.As(err, &wrong) {
		c.at(1, "", "%s", problem)
		return
	}
	line, column := wrong.Position()
	key := strings.Join(wrong.Key(), ".")
	if key == "" {
		key = c.lines.keyOfValue(line, column)
	}
	c.at(line, key, "%s", problem)
}
