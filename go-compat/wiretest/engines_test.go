package wiretest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy/replay"
	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/huntgen"
)

// engine takes a FollowRequest, in bytes: the hunt of its snapshot, or of a created
// record, and commands to play on it. The answer is a FollowRequest as well: the
// snapshot after them, and a record for each, with its outcome and the digest.
type engine struct {
	name   string
	follow func(ask []byte) ([]byte, error)
}

func engines(t *testing.T) [2]engine {
	t.Helper()
	rust := startPeer(t, "engine")
	return [2]engine{
		{"Go", followInGo},
		{"Rust", func(ask []byte) ([]byte, error) { return rust.ask("FollowRequest", ask) }},
	}
}

func followInGo(bytes []byte) ([]byte, error) {
	ask := &pb.FollowRequest{}
	if err := proto.Unmarshal(bytes, ask); err != nil {
		return nil, err
	}
	ruleset, err := rules.ParseRuleset("ruleset", ask.GetRuleset())
	if err != nil {
		return nil, err
	}
	answer, records := &pb.FollowRequest{}, ask.GetRecords()
	var hunt *rules.Hunt
	if from := ask.GetFrom(); from != nil {
		if hunt, err = rules.Restore(from, ruleset); err != nil {
			return nil, err
		}
	} else {
		if len(records) == 0 {
			return nil, errors.New("there is neither a snapshot nor a created record")
		}
		first := records[0]
		hunt = rules.Create(first.GetHuntId(), first.GetCreated().GetSettings(), ruleset, first.GetEpoch(), first.GetAtMs())
		answer.Records, records = append(answer.Records, hunt.CreatedRecord()), records[1:]
	}
	for _, record := range records {
		played, err := playInGo(hunt, record)
		if err != nil {
			return nil, err
		}
		answer.Records = append(answer.Records, played)
	}
	answer.From = hunt.Snapshot()
	return canonical.bytes(answer.ProtoReflect()), nil
}

// playInGo gives the record of a command that was applied, and of any other its
// outcome alone.
func playInGo(hunt *rules.Hunt, given *pb.Record) (*pb.Record, error) {
	cmd := given.GetApplied().GetCommand()
	taken := playerstate.MalformedField(cmd) == "" && cmd.GetHuntId() == hunt.ID() && (cmd.GetEpoch() == 0 || cmd.GetEpoch() == hunt.Epoch())
	if taken && hunt.Due(given.GetAtMs()) { // the end by time comes before the first such command
		if _, err := hunt.End(given.GetAtMs()); err != nil {
			return nil, err
		}
	}
	outcome, err := replay.Resume(hunt).Apply(given.GetAtMs(), cmd)
	if err != nil {
		return nil, err
	}
	if outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED {
		record := hunt.AppliedRecord(rules.CommandOf(cmd), outcome)
		record.Digest = hunt.Digest()
		return record, nil
	}
	return &pb.Record{
		HuntId: hunt.ID(), Epoch: hunt.Epoch(), Sequence: hunt.Sequence(), AtMs: given.GetAtMs(), Digest: hunt.Digest(),
		Change: &pb.Record_Applied{Applied: &pb.Applied{Outcome: outcome}},
	}, nil
}

// game is a hunt that was made up: how it begins, and what is asked in it.
type game struct {
	ruleset  []byte
	created  *pb.Record
	commands []*pb.Record
}

func generate(t *testing.T, seed uint64, commands int) game {
	t.Helper()
	records, err := huntgen.Generate(seed, commands)
	if err != nil {
		t.Fatal(err)
	}
	return game{records[0].GetCreated().GetRuleset(), records[0], records[1:]}
}

// begin is the hunt from its start, with the commands up to one.
func (g game) begin(commands int) *pb.FollowRequest {
	return &pb.FollowRequest{Ruleset: g.ruleset, Records: append([]*pb.Record{g.created}, g.commands[:commands]...)}
}

// goOn is the hunt from a snapshot, with the commands from one to another.
func (g game) goOn(snapshot *pb.HuntSnapshot, from, to int) *pb.FollowRequest {
	return &pb.FollowRequest{Ruleset: g.ruleset, From: snapshot, Records: g.commands[from:to]}
}

// ask gives an engine's answer, and sees that it is in canonical bytes: so answers
// that are equal are the same bytes.
func (e engine) ask(t *testing.T, ask *pb.FollowRequest) *pb.FollowRequest {
	t.Helper()
	answer, err := e.follow(encode(t, ask))
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	read := &pb.FollowRequest{}
	if err := proto.Unmarshal(answer, read); err != nil {
		t.Fatal(err)
	}
	if want := canonical.bytes(read.ProtoReflect()); !bytes.Equal(answer, want) {
		t.Fatalf("%s answers other than in canonical bytes:\n%x, want\n%x", e.name, answer, want)
	}
	return read
}

func encode(t *testing.T, ask *pb.FollowRequest) []byte {
	t.Helper()
	bytes, err := proto.Marshal(ask)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func same(t *testing.T, what string, got, want proto.Message) {
	t.Helper()
	if !proto.Equal(got, want) {
		t.Fatalf("%s: got\n%s\nwant\n%s", what, prototext.Format(got), prototext.Format(want))
	}
}

// TestASnapshotLosesNothingOnItsWayThroughBothEngines takes hunts, at some points of
// each, from the engine that plays them through the other one and back: the
// snapshot stays the same bytes, and wherever the hunt then goes on, its
// outcomes, digests and end are those of the hunt that never moved.
func TestASnapshotLosesNothingOnItsWayThroughBothEngines(t *testing.T) {
	const hunts, commands, cuts = 24, 250, 4
	both := engines(t)
	ended := 0
	for seed := range uint64(hunts) {
		g := generate(t, seed, commands)
		random := rand.New(rand.NewPCG(seed, 0))
		for _, pair := range [][2]engine{{both[0], both[1]}, {both[1], both[0]}} {
			owner, other := pair[0], pair[1]
			unmoved := owner.ask(t, g.begin(commands))
			for range cuts {
				cut := random.IntN(commands)
				where := fmt.Sprintf("seed %d, from %s after %d commands", seed, owner.name, cut)
				start := owner.ask(t, g.begin(cut)).GetFrom()
				there := other.ask(t, g.goOn(start, cut, cut)).GetFrom()
				same(t, where+": the snapshot there", there, start)
				back := owner.ask(t, g.goOn(there, cut, cut)).GetFrom()
				same(t, where+": the snapshot back", back, start)
				for _, e := range pair {
					on := e.ask(t, g.goOn(back, cut, commands))
					same(t, where+": the end in "+e.name, on.GetFrom(), unmoved.GetFrom())
					for i, record := range on.GetRecords() {
						same(t, fmt.Sprintf("%s: command %d in %s", where, cut+i+1, e.name), record, unmoved.GetRecords()[cut+i+1])
					}
				}
				if start.GetEnded() {
					ended++
				}
			}
		}
	}
	t.Logf("%d snapshots, %d of them of ended hunts", hunts*2*cuts, ended)
	if ended == 0 {
		t.Error("no snapshot was one of an ended hunt")
	}
}

// TestUnknownFieldsOnInputAreDropped puts fields that the schema does not have into
// every message of what the engines are given: settings, commands, snapshots. What
// they keep, hash and answer is as without them.
func TestUnknownFieldsOnInputAreDropped(t *testing.T) {
	const commands = 200
	g := generate(t, 3, commands)
	for _, e := range engines(t) {
		half := e.ask(t, g.begin(commands/2)).GetFrom()
		for what, ask := range map[string]*pb.FollowRequest{
			"settings and commands": g.begin(commands),
			"a snapshot":            g.goOn(half, commands/2, commands),
		} {
			t.Run(e.name+": "+what, func(t *testing.T) {
				strewn := proto.CloneOf(ask)
				if n := strew(strewn.ProtoReflect()); n < commands {
					t.Fatalf("only %d messages have an unknown field", n)
				}
				same(t, "with unknown fields", e.ask(t, strewn), e.ask(t, ask))
			})
		}
	}
}

// strew puts an unknown field into a message and all within, and counts them.
func strew(m protoreflect.Message) int {
	n := 1
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				n += strew(v.List().Get(i).Message())
			}
		default:
			n += strew(v.Message())
		}
		return true
	})
	m.SetUnknown(unknown)
	return n
}

// TestAnUnknownEffectInASnapshotIsRefused: an unknown enum number is kept by every
// codec, so it reaches the engines, and neither makes a hunt of it.
func TestAnUnknownEffectInASnapshotIsRefused(t *testing.T) {
	const commands = 50
	g := generate(t, 3, commands)
	for _, e := range engines(t) {
		snapshot := e.ask(t, g.begin(commands)).GetFrom()
		player := snapshot.GetPlayers()[0]
		for kind, taken := range map[pb.EffectKind]bool{pb.EffectKind_EFFECT_KIND_CLOAK: true, 0: false, 13: false, -1: false} {
			player.Effects = []*pb.TimedEffect{{Kind: kind, UntilMs: 1}}
			_, err := e.follow(encode(t, g.goOn(snapshot, commands, commands)))
			if (err == nil) != taken {
				t.Errorf("%s, kind %d: %v", e.name, kind, err)
			}
			if err != nil && !strings.Contains(err.Error(), "effects") {
				t.Errorf("%s does not name the effects: %v", e.name, err)
			}
		}
	}
}
