package rules

import (
	"testing"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/rulesets"
)

const startsAt = 1_700_000_000_000

func classic(t testing.TB) *Ruleset {
	t.Helper()
	ruleset, err := ParseRuleset("classic.toml", rulesets.Classic())
	if err != nil {
		t.Fatal(err)
	}
	return ruleset
}

func parsed(t testing.TB, text string) *Ruleset {
	t.Helper()
	ruleset, err := ParseRuleset("test.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return ruleset
}

// table is a hunt on a bare board of 20 by 20, on which a test sets the pieces.
// Each command is checked on the way: a digest that is not that of the whole, and
// a command that was not applied and yet changed something, fail the test.
type table struct {
	t       *testing.T
	h       *Hunt
	at      int64
	request uint64
}

// sit begins a table with players 1 to n, all in the corner.
func sit(t *testing.T, ruleset *Ruleset, n uint64) *table {
	settings := &pb.HuntSettings{Seed: 42, Width: 20, Height: 20, MaxPlayers: 100, DurationMs: 600_000}
	g := &table{t: t, h: Create("h", settings, ruleset, 1, startsAt), at: startsAt}
	for id := uint64(1); id <= n; id++ {
		g.must(Command{PlayerID: id, Action: Join})
		g.put(id, 0, 0)
	}
	return g
}

func (g *table) player(id uint64) *player { return &g.h.roster.players[g.h.roster.index[id]] }

func (g *table) put(id uint64, x, y uint16) {
	p := g.player(id)
	p.x, p.y = x, y
	g.h.digest.touch(g.h.roster.index[id])
}

func (g *table) score(id, score uint64) {
	g.player(id).score = score
	g.h.digest.touch(g.h.roster.index[id])
}

func (g *table) give(id uint64, powerUps ...string) {
	for _, name := range powerUps {
		g.player(id).gain(g.h.ruleset.byName[name])
	}
	g.h.digest.touch(g.h.roster.index[id])
}

// bury puts a treasure on a cell that is above all that have one.
func (g *table) bury(x, y uint16, value uint32) {
	g.h.treasures.add(g.h.board.cell(x, y), value)
	g.h.digest.sum += g.h.digest.part(seedTreasure, &pb.Treasure{X: uint32(x), Y: uint32(y), Value: value})
}

func (g *table) hide(x, y uint16, powerUp string) {
	kind := uint32(g.h.ruleset.byName[powerUp])
	g.h.caches.add(g.h.board.cell(x, y), kind)
	g.h.digest.sum += g.h.digest.part(seedCache, &pb.Cache{X: uint32(x), Y: uint32(y), PowerUp: kind})
}

func (g *table) wait(ms int64) { g.at += ms }

// do applies a command under the next request id, unless it names one.
func (g *table) do(cmd Command) *pb.Outcome {
	g.t.Helper()
	if cmd.RequestID == 0 {
		g.request++
		cmd.RequestID = g.request
	}
	before := g.h.Snapshot()
	outcome, err := g.h.Apply(cmd, g.at)
	if err != nil {
		g.t.Fatal(err)
	}
	after := g.h.Snapshot()
	if outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED && !proto.Equal(before, after) {
		g.t.Fatalf("%v changed the hunt, though it was %v", cmd, outcome)
	}
	if got, want := g.h.Digest(), wholeDigest(after); got != want {
		g.t.Fatalf("after %v the digest is %x, of the whole %x", cmd, got, want)
	}
	return outcome
}

func (g *table) must(cmd Command) *pb.Outcome {
	g.t.Helper()
	outcome := g.do(cmd)
	if outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		g.t.Fatalf("%v: %v, want APPLIED", cmd, outcome)
	}
	return outcome
}

func (g *table) rejected(cmd Command, want pb.Rejection) {
	g.t.Helper()
	if outcome := g.do(cmd); outcome.GetVerdict() != pb.Verdict_VERDICT_REJECTED || outcome.GetRejection() != want {
		g.t.Fatalf("%v: %v, want REJECTED %v", cmd, outcome, want)
	}
}

func (g *table) use(id uint64, powerUp string, target uint64) *pb.Outcome {
	g.t.Helper()
	return g.must(useOf(id, powerUp, target))
}

func useOf(id uint64, powerUp string, target uint64) Command {
	return Command{PlayerID: id, Action: UsePowerUp, PowerUp: powerUp, Target: target}
}

func moveTo(id uint64, x, y uint32) Command {
	return Command{PlayerID: id, Action: Move, X: x, Y: y}
}

func act(id uint64, action Action) Command { return Command{PlayerID: id, Action: action} }

// wholeDigest is the digest by its definition, from a snapshot and nothing else.
func wholeDigest(s *pb.HuntSnapshot) uint64 {
	hash := func(seed uint64, m proto.Message) uint64 {
		bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			panic(err)
		}
		d := xxhash.NewWithSeed(seed)
		_, _ = d.Write(bytes)
		return d.Sum64()
	}
	head := proto.CloneOf(s)
	head.Epoch, head.Treasures, head.Caches, head.Players = 0, nil, nil, nil
	sum := hash(0, head)
	for _, p := range s.GetPlayers() {
		sum += hash(1, p)
	}
	for _, t := range s.GetTreasures() {
		sum += hash(2, t)
	}
	for _, c := range s.GetCaches() {
		sum += hash(3, c)
	}
	return sum
}
