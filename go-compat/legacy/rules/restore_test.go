package rules

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// acceptedSnapshots and refusedSnapshots are tests/vectors/snapshots, which the
// Rust engine reads too.
type acceptedSnapshots struct {
	About    string              `json:"about"`
	Accepted []*acceptedSnapshot `json:"accepted"`
}

type acceptedSnapshot struct {
	Name     string          `json:"name"`
	Ruleset  []string        `json:"ruleset,omitempty"` // its lines; else classic.toml
	Snapshot json.RawMessage `json:"snapshot"`
	Digest   string          `json:"digest"`
	SHA256   string          `json:"sha256"` // of the canonical bytes
}

type refusedSnapshots struct {
	About    string                     `json:"about"`
	Snapshot map[string]json.RawMessage `json:"snapshot"` // a good one
	Refused  []*struct {
		Name   string                     `json:"name"`
		Names  string                     `json:"names"`  // in the error
		Change map[string]json.RawMessage `json:"change"` // whole fields
	} `json:"refused"`
}

func TestASnapshotComesBackAsTheSameBytes(t *testing.T) {
	file, path := &acceptedSnapshots{}, vectors+"snapshots/accepted.json"
	readJSON(t, path, file)
	if len(file.Accepted) == 0 {
		t.Fatal("no snapshots")
	}
	for _, s := range file.Accepted {
		t.Run(s.Name, s.check)
	}
	if *update {
		write(t, path, file)
	}
}

func (s *acceptedSnapshot) check(t *testing.T) {
	message := &pb.HuntSnapshot{}
	fromJSON(t, s.Snapshot, message)
	h, err := Restore(message, rulesetOf(t, s.Ruleset))
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "snapshot", &s.Snapshot, h.Snapshot())
	digest := fmt.Sprintf("0x%016x", h.Digest())
	sum := fmt.Sprintf("%x", sha256.Sum256(canonical(nil, h.Snapshot())))
	if *update {
		s.Digest, s.SHA256 = digest, sum
	}
	if digest != s.Digest || sum != s.SHA256 {
		t.Errorf("digest %s and SHA-256 %s, want %s and %s", digest, sum, s.Digest, s.SHA256)
	}
}

func TestASnapshotThatNoHuntCanHaveComeToIsRefused(t *testing.T) {
	file := &refusedSnapshots{}
	readJSON(t, vectors+"snapshots/refused.json", file)
	restore := func(t *testing.T, change map[string]json.RawMessage) error {
		changed := maps.Clone(file.Snapshot)
		maps.Copy(changed, change)
		text, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		message := &pb.HuntSnapshot{}
		fromJSON(t, text, message)
		_, err = Restore(message, classic(t))
		return err
	}
	if err := restore(t, nil); err != nil || len(file.Refused) == 0 {
		t.Fatalf("%d snapshots, and the good one: %v", len(file.Refused), err)
	}
	for _, s := range file.Refused {
		t.Run(s.Name, func(t *testing.T) {
			if err := restore(t, s.Change); err == nil || !strings.Contains(err.Error(), s.Names) {
				t.Errorf("got %v, want one that names %s", err, s.Names)
			}
		})
	}
}
