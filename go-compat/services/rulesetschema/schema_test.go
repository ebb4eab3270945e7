// Package rulesetschema holds the JSON Schema of rulesets against what the engines'
// parsers take and refuse. That the schema is what `player-state rules schema` prints
// is held where it is made, in tests/rules_schema.rs.
package rulesetschema

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const root = "../../../"

// parserAlone is what only a parser can refuse: the TOML itself, sums, doubled names,
// and a number against another key.
var parserAlone = []string{
	"duration_over_its_max",
	"key_doubled",
	"magnitude_over_its_max",
	"name_twice",
	"no_toml",
	"no_utf8",
	"number_huge",
	"reveal_twice",
	"torn",
	"weight_0_throughout",
	"weight_sum_over_2_pow_32",
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(root + "go-compat/rulesets/ruleset.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// written are a folder's rulesets by name, as an editor sees them: values of JSON,
// or nil for what is no TOML.
func written(t *testing.T, folder string) map[string]any {
	t.Helper()
	files, err := filepath.Glob(root + folder + "/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]any)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(filepath.Base(file), ".toml")] = asJSON(t, text)
	}
	return found
}

func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var table map[string]any
	if toml.Unmarshal(text, &table) != nil {
		return nil
	}
	encoded, err := json.Marshal(table)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(encoded)))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestTheSchemaTakesWhatTheParsersTake(t *testing.T) {
	schema := schema(t)
	for _, folder := range []string{"tests/vectors/rulesets/accepted", "go-compat/rulesets"} {
		taken := written(t, folder)
		if len(taken) < 2 {
			t.Fatalf("%s holds %d rulesets", folder, len(taken))
		}
		for name, value := range taken {
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestTheSchemaRefusesWhatTheParsersRefuseButForWhatNoSchemaCanSay(t *testing.T) {
	schema := schema(t)
	refused := written(t, "tests/vectors/rulesets/refused")
	if len(refused) < 60 {
		t.Fatalf("%d rulesets", len(refused))
	}
	var passed []string
	for name, value := range refused {
		if value == nil || schema.Validate(value) == nil {
			passed = append(passed, name)
		}
	}
	slices.Sort(passed)
	if !slices.Equal(passed, parserAlone) {
		t.Errorf("the schema lets pass %q, want %q", passed, parserAlone)
	}
}
