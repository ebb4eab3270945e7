package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// section is a table of a ruleset file. Its readers complain of what they cannot
// take; then they give false, and the check goes on, so that all is told at once.
type section struct {
	check *check
	path  string // as power_up[2]; "" for the file's
	keys  map[string]any
}

func (s section) has(key string) bool {
	_, has := s.keys[key]
	return has
}

func (s section) wrong(key, format string, args ...any) {
	path := join(s.path, key)
	s.check.at(s.check.lines.of(path), path, format, args...)
}

// unknown complains of every key that is none of these.
func (s section) unknown(known ...string) {
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		if !slices.Contains(known, key) {
			s.wrong(key, "is no key here; there are %s", strings.Join(known, ", "))
		}
	}
}

// needs complains of a key that is not there.
func (s section) needs(key, expected string) bool {
	if !s.has(key) {
		s.wrong(key, "is missing, and must be %s", expected)
	}
	return s.has(key)
}

// number is a whole number within its bounds, 0 where it is absent.
func (s section) number(key string, least, most int64) (int64, bool) {
	value, has := s.keys[key]
	if !has {
		return 0, true
	}
	number, ok := value.(int64)
	if !ok {
		return 0, s.wrongType(key, "a whole number")
	}
	if number < least || number > most {
		s.wrong(key, "is %d, and must be %d..%d", number, least, most)
		return 0, false
	}
	return number, true
}

// text is "" where it is absent.
func (s section) text(key string) (string, bool) {
	text, ok := s.keys[key].(string)
	if s.has(key) && !ok {
		return "", s.wrongType(key, "a string")
	}
	return text, true
}

// flag is false where it is absent.
func (s section) flag(key string) (flag, ok bool) {
	flag, ok = s.keys[key].(bool)
	if s.has(key) && !ok {
		return false, s.wrongType(key, "true or false")
	}
	return flag, true
}

// tables is a key that must be there, an array of 1 to most tables.
func (s section) tables(key string, most int) ([]section, bool) {
	if !s.needs(key, fmt.Sprintf("an array of 1..%d tables", most)) {
		return nil, false
	}
	array, ok := s.keys[key].([]any)
	if !ok {
		return nil, s.wrongType(key, "an array of tables")
	}
	if len(array) < 1 || len(array) > most {
		s.wrong(key, "has %d entries, and must have 1..%d", len(array), most)
		return nil, false
	}
	tables := make([]section, len(array))
	for i, item := range array {
		keys, ok := item.(map[string]any)
		if !ok {
			return nil, s.wrongType(key, "an array of tables")
		}
		tables[i] = section{check: s.check, path: index(join(s.path, key), i), keys: keys}
	}
	return tables, true
}

func (s section) wrongType(key, expected string) bool {
	s.wrong(key, "is %s, and must be %s", typeName(s.keys[key]), expected)
	return false
}

// typeName is what TOML calls the type of a decoded value.
func typeName(value any) string {
	switch value.(type) {
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case map[string]any:
		return "a table"
	case []any:
		return "an array"
	default:
		return "a datetime"
	}
}
