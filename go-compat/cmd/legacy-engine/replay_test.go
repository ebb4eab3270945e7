package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/rulesets"
	"treasurehunt.example/go-compat/services/program"
)

func TestAFileIsReplayedByNameOrFromStandardInput(t *testing.T) {
	var script bytes.Buffer
	_, err := protodelim.MarshalTo(&script, &pb.Record{HuntId: "h", Epoch: 1, AtMs: 5, Change: &pb.Record_Created{Created: &pb.HuntCreated{
		Settings: &pb.HuntSettings{Width: 4, Height: 4, MaxPlayers: 1, DurationMs: 1000},
		Ruleset:  rulesets.Classic(),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(path, script.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var byName, byInput bytes.Buffer
	if err := replayFile(path, nil, &byName); err != nil {
		t.Fatal(err)
	}
	if err := replayFile("-", &script, &byInput); err != nil {
		t.Fatal(err)
	}
	if byName.Len() == 0 || !bytes.Equal(byName.Bytes(), byInput.Bytes()) {
		t.Errorf("%d bytes by name, %d from standard input", byName.Len(), byInput.Len())
	}
}

func TestAWrongFileEndsWith65(t *testing.T) {
	for name, err := range map[string]error{
		"missing":            replayFile(filepath.Join(t.TempDir(), "missing"), nil, new(bytes.Buffer)),
		"empty":              replayFile("-", new(bytes.Buffer), new(bytes.Buffer)),
		"no file of records": replayFile("-", bytes.NewBufferString("hello, hello, hello"), new(bytes.Buffer)),
	} {
		var exit *program.ExitError
		if !errors.As(err, &exit) || exit.Code != program.ExitData {
			t.Errorf("%s: %v, want exit code 65", name, err)
		}
	}
}
