package rollout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// number is one flag of a flagd file, as this package takes it.
type number struct {
	disabled bool
	variant  string
	value    float64
}

// parseFlagd takes the flag key out of a file in flagd's format. Of that format
// it takes flags with numbers and without targeting; whatever it does not take
// in that flag is an error, so that nothing is ignored that somebody meant. Other
// flags in the file are not looked at.
func parseFlagd(text []byte, key string) (number, error) {
	if err := checkJSON(text); err != nil {
		return number{}, err
	}
	file, err := object(text, "the file")
	if err != nil {
		return number{}, err
	}
	flags, err := object(file["flags"], `"flags"`)
	if err != nil {
		return number{}, err
	}
	text, ok := flags[key]
	if !ok {
		return number{}, fmt.Errorf("there is no flag %q in it", key)
	}
	flag, err := parseFlag(text)
	if err != nil {
		return number{}, fmt.Errorf("flag %q: %w", key, err)
	}
	return flag, nil
}

// The members of a flag. Metadata and description are for people.
var members = []string{"state", "variants", "defaultVariant", "targeting", "metadata", "description"}

func parseFlag(text []byte) (number, error) {
	flag, err := object(text, "it")
	if err != nil {
		return number{}, err
	}
	for member := range flag {
		if !slices.Contains(members, member) {
			return number{}, fmt.Errorf("%q is no member of a flag; these are: %q", member, members)
		}
	}
	if err := checkTargeting(flag["targeting"]); err != nil {
		return number{}, err
	}
	var parsed number
	if parsed.disabled, err = parseState(flag["state"]); err != nil {
		return number{}, err
	}
	if parsed.variant, parsed.value, err = parseVariant(flag); err != nil {
		return number{}, err
	}
	return parsed, nil
}

func checkTargeting(text json.RawMessage) error {
	if text == nil {
		return nil
	}
	if rules, err := object(text, `"targeting"`); err != nil || len(rules) > 0 {
		return errors.New(`"targeting" is not supported in this file, for hunts are split by their id: leave it out, or use a flagd provider`)
	}
	return nil
}

func parseState(text json.RawMessage) (disabled bool, err error) {
	switch string(text) {
	case `"ENABLED"`:
		return false, nil
	case `"DISABLED"`:
		return true, nil
	case "":
		return false, errors.New(`"state" is missing: ENABLED or DISABLED`)
	}
	return false, fmt.Errorf(`"state" must be "ENABLED" or "DISABLED"; this is %.40s`, text)
}

func parseVariant(flag map[string]json.RawMessage) (name string, value float64, err error) {
	variants, err := object(flag["variants"], `"variants"`)
	if err != nil {
		return "", 0, err
	}
	if err := json.Unmarshal(flag["defaultVariant"], &name); err != nil || name == "" {
		return "", 0, errors.New(`"defaultVariant" must name a variant`)
	}
	text, ok := variants[name]
	if !ok {
		return "", 0, fmt.Errorf(`"defaultVariant" is %q, which is not among the variants`, name)
	}
	// null would be taken for 0.
	if err := json.Unmarshal(text, &value); err != nil || string(text) == "null" {
		return "", 0, fmt.Errorf("variant %q must be a number; this is %.40s", name, text)
	}
	return name, value, nil
}

// object takes the members of a JSON object, by their exact names.
func object(text json.RawMessage, what string) (members map[string]json.RawMessage, err error) {
	if text == nil {
		return nil, fmt.Errorf("%s is missing", what)
	}
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return nil, fmt.Errorf("%s must be a JSON object", what)
	}
	return members, nil
}

// checkJSON refuses what is not one JSON value, and objects with a member twice:
// encoding/json would silently take the last, and at night that is the wrong one.
func checkJSON(text []byte) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return errors.New("it is empty")
	}
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	return checkMembers(json.NewDecoder(bytes.NewReader(text)))
}

// checkMembers walks one value, which is well formed.
func checkMembers(tokens *json.Decoder) error {
	token, err := tokens.Token()
	if err != nil {
		return err
	}
	if token != json.Delim('{') && token != json.Delim('[') {
		return nil
	}
	seen := map[json.Token]bool{}
	for tokens.More() {
		if token == json.Delim('{') {
			name, err := tokens.Token()
			if err != nil {
				return err
			}
			if seen[name] {
				return fmt.Errorf("%q stands twice in one object", name)
			}
			seen[name] = true
		}
		if err := checkMembers(tokens); err != nil {
			return err
		}
	}
	_, err = tokens.Token() // the closing one
	return err
}
