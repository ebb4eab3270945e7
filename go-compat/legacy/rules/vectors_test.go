package rules

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// The worked examples of docs/rules.md, which the Rust engine plays too:
// tests/vectors/README.md says how they are written.

var update = flag.Bool("update", false, "write what this engine answers into tests/vectors/rules; read the difference against docs/rules.md")

const vectors = "../../../tests/vectors/"

// exampleFile is one file of examples, for one heading of docs/rules.md.
type exampleFile struct {
	Section  string          `json:"section"`
	Stage    json.RawMessage `json:"stage"` // the HuntSnapshot onto which each start is merged
	Examples []*example      `json:"examples"`
}

type example struct {
	Name    string          `json:"name"`
	Rule    string          `json:"rule"`              // the words that it shows
	Shows   []string        `json:"shows,omitempty"`   // of what coverage_test.go asks for
	Ruleset []string        `json:"ruleset,omitempty"` // its lines; else classic.toml
	Created json.RawMessage `json:"created,omitempty"` // the HuntSettings of a hunt to create, or
	Start   json.RawMessage `json:"start,omitempty"`   // a HuntSnapshot to restore
	Steps   []*exampleStep  `json:"steps"`
	After   json.RawMessage `json:"after"`  // what changed, as a HuntSnapshot
	Digest  string          `json:"digest"` // of all of it
}

// exampleStep is a command, or without one EndHunt.
type exampleStep struct {
	NowMs   int64           `json:"now_ms"`
	Command json.RawMessage `json:"command,omitempty"`
	End     bool            `json:"end,omitempty"`
	Fell    bool            `json:"fell,omitempty"`    // the stamp is refused
	Ended   json.RawMessage `json:"ended,omitempty"`   // the record of the end, where it is recorded now
	Outcome json.RawMessage `json:"outcome,omitempty"` // of the command
}

func TestTheWorkedExamplesOfTheRulesComeOutAsWritten(t *testing.T) {
	for path, s := range sections(t) {
		for _, x := range s.Examples {
			t.Run(s.Section+"/"+x.Name, func(t *testing.T) { x.play(t, s.Stage) })
		}
		if *update {
			write(t, path, s)
		}
	}
}

func TestEachExampleQuotesTheRules(t *testing.T) {
	text, err := os.ReadFile("../../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.Join(strings.Fields(string(text)), " ")
	for _, s := range sections(t) {
		if !strings.Contains(page, "## "+s.Section) {
			t.Errorf("docs/rules.md has no heading %q", s.Section)
		}
		for _, x := range s.Examples {
			if !strings.Contains(page, x.Rule) {
				t.Errorf("%q quotes what docs/rules.md does not say: %s", x.Name, x.Rule)
			}
		}
	}
}

// sections are all files of examples, by path.
func sections(t *testing.T) map[string]*exampleFile {
	paths, err := filepath.Glob(vectors + "rules/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	read := make(map[string]*exampleFile)
	for _, path := range paths {
		read[path] = &exampleFile{}
		readJSON(t, path, read[path])
	}
	return read
}

func readJSON(t *testing.T, path string, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func (x *example) play(t *testing.T, stage json.RawMessage) {
	h := x.begin(t, stage)
	before := &pb.HuntSnapshot{} // of a hunt that is created all is new
	if x.Created == nil {
		before = h.Snapshot()
	}
	for i, s := range x.Steps {
		t.Run(fmt.Sprint("step ", i+1), func(t *testing.T) { s.play(t, h) })
	}
	after := h.Snapshot()
	told := changes(before, after)
	if x.Created != nil {
		told.Treasures, told.Caches = after.GetTreasures(), after.GetCaches()
	}
	compare(t, "after", &x.After, told)
	digest := fmt.Sprintf("0x%016x", h.Digest())
	if *update {
		x.Digest = digest
	}
	if digest != x.Digest {
		t.Errorf("digest %s, want %s", digest, x.Digest)
	}
}

func (x *example) begin(t *testing.T, stage json.RawMessage) *Hunt {
	ruleset := rulesetOf(t, x.Ruleset)
	start := &pb.HuntSnapshot{}
	fromJSON(t, stage, start)
	if x.Created != nil {
		settings := &pb.HuntSettings{}
		fromJSON(t, x.Created, settings)
		return Create(start.GetHuntId(), settings, ruleset, start.GetEpoch(), start.GetStartsAtMs())
	}
	own := &pb.HuntSnapshot{}
	fromJSON(t, x.Start, own)
	proto.Merge(start, own)
	start.RulesetHash = ruleset.Hash()
	h, err := Restore(start, ruleset)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// rulesetOf parses a ruleset's lines; none stand for classic.toml.
func rulesetOf(t *testing.T, lines []string) *Ruleset {
	if lines == nil {
		return classic(t)
	}
	return parsed(t, strings.Join(lines, "\n")+"\n")
}

// play does what an owner does that has this hunt alone.
func (s *exampleStep) play(t *testing.T, h *Hunt) {
	before, at := h.Snapshot(), h.startsAt+s.NowMs
	h.Digest() // from here on it is kept up
	outcome, ended, err := s.ask(t, h, at)
	if errors.Is(err, ErrStampFell) != s.Fell {
		t.Errorf("stamped %d: %v", s.NowMs, err)
	}
	compare(t, "ended", &s.Ended, ended)
	compare(t, "outcome", &s.Outcome, outcome)
	isApplied := outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED
	if !isApplied && ended == nil && !proto.Equal(before, h.Snapshot()) {
		t.Error("it was not applied, and changed the hunt")
	}
	if whole := wholeDigest(h.Snapshot()); whole != h.Digest() {
		t.Errorf("the digest kept up is %x, of the whole %x", h.Digest(), whole)
	}
}

func (s *exampleStep) ask(t *testing.T, h *Hunt, at int64) (outcome *pb.Outcome, ended *pb.Record, err error) {
	if s.Command == nil {
		ended, err = endedAt(h, at)
		return nil, ended, err
	}
	cmd := &pb.Command{}
	fromJSON(t, s.Command, cmd)
	refused := func(why *pb.Refusal) (*pb.Outcome, *pb.Record, error) {
		return playerstate.Refused(cmd.GetRequestId(), why), nil, nil
	}
	switch field := playerstate.MalformedField(cmd); {
	case field != "":
		return playerstate.InvalidOutcome(cmd.GetRequestId(), field), nil, nil
	case cmd.GetHuntId() != h.ID():
		return refused(&pb.Refusal{Reason: pb.Refusal_REASON_UNKNOWN_HUNT})
	case cmd.GetEpoch() != 0 && cmd.GetEpoch() != h.Epoch():
		return refused(&pb.Refusal{Reason: pb.Refusal_REASON_STALE_EPOCH, Epoch: h.Epoch()})
	}
	outcome, err = h.Apply(CommandOf(cmd), at)
	if h.Due(at) && err == nil {
		// A replay answers so: its file alone says when the end is recorded. An owner records the end first.
		early := outcome
		if ended, err = endedAt(h, at); err != nil {
			return nil, nil, err
		}
		if outcome, err = h.Apply(CommandOf(cmd), at); !proto.Equal(outcome, early) {
			t.Errorf("before its end is recorded: %v; after: %v", early, outcome)
		}
	}
	return outcome, ended, err
}

func endedAt(h *Hunt, at int64) (*pb.Record, error) {
	first, err := h.End(at)
	if !first {
		return nil, err
	}
	return h.EndedRecord(), nil
}

// changes is what an example tells of a snapshot: the head's numbers, and the
// players that are not as before.
func changes(before, after *pb.HuntSnapshot) *pb.HuntSnapshot {
	told := &pb.HuntSnapshot{
		Sequence:    after.GetSequence(),
		LastAtMs:    after.GetLastAtMs(),
		RandomState: after.GetRandomState(),
		Ended:       after.GetEnded(),
	}
	was := make(map[uint64]*pb.PlayerSnapshot)
	for _, p := range before.GetPlayers() {
		was[p.GetPlayerId()] = p
	}
	for _, p := range after.GetPlayers() {
		if !proto.Equal(p, was[p.GetPlayerId()]) {
			told.Players = append(told.Players, p)
		}
	}
	return told
}

// compare holds a message against the one that is written, "" for none; with
// -update it is the one that is written.
func compare[M interface {
	comparable
	proto.Message
}](t *testing.T, what string, written *json.RawMessage, got M) {
	t.Helper()
	var none M
	switch {
	case *update && got == none:
		*written = nil
	case *update:
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		*written = text
	case *written == nil && got == none:
	case *written == nil || got == none:
		t.Errorf("%s: got %v, want %s", what, got, *written)
	default:
		want := got.ProtoReflect().New().Interface()
		fromJSON(t, *written, want)
		if !proto.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", what, got, want)
		}
	}
}

func fromJSON(t *testing.T, text json.RawMessage, to proto.Message) {
	t.Helper()
	if err := protojson.Unmarshal(text, to); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
