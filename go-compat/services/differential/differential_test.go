//go:build e2e

package differential

import (
	"flag"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy/replay"
	"treasurehunt.example/go-compat/services/huntgen"
)

// TestBothEnginesAnswerTheSame plays generated hunts in the Go rules of this process
// and, record by record, in both programs: every outcome, every record, and the digest
// at each 100th sequence must be the same. A mismatch is shrunk to the shortest list of
// commands that shows it, and kept as a replay file.
func TestBothEnginesAnswerTheSame(t *testing.T) {
	commands, seed := 100_000, 1 // the same hunts each time: what they meet is known
	if *long {
		commands, seed = 10_000_000, 0 // others each time; rapid prints its seed on a failure
	}
	drawn(t, "seed", fmt.Sprint(seed))
	// The length of a hunt is drawn, so a few more make sure of the sum.
	drawn(t, "checks", fmt.Sprint(commands/commandsPerHunt*5/4))
	drawn(t, "steps", fmt.Sprint(commandsPerHunt))
	seen := newCoverage(t)
	rapid.Check(t, func(t *rapid.T) { compareOneHunt(t, seen) })
	if t.Failed() {
		return // what was seen while shrinking says nothing
	}
	t.Log(seen)
	if seen.commands < commands {
		t.Errorf("%d commands were compared, and %d are asked for", seen.commands, commands)
	}
	for _, missing := range seen.missing() {
		t.Errorf("never met: %s", missing)
	}
}

// drawn sets one of rapid's flags, unless the command line did.
func drawn(t *testing.T, name, value string) {
	t.Helper()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid."+name })
	if given {
		return
	}
	if err := flag.Set("rapid."+name, value); err != nil {
		t.Fatal(err)
	}
}

func compareOneHunt(t *rapid.T, seen *coverage) {
	g, err := huntgen.New(rapid.Uint64().Draw(t, "hunt"))
	if err != nil {
		t.Fatal(err)
	}
	created := g.Records()[0]
	game, first, err := replay.Open(created)
	if err != nil {
		t.Fatal(err)
	}
	played := &played{g: g, game: game, expected: first}
	for _, engine := range engines {
		program, stop := startProgram(t, engine)
		defer stop()
		program.give(t, created)
		played.programs = append(played.programs, program)
	}
	observed := seen.observe(t, created.GetCreated())
	t.Repeat(map[string]func(*rapid.T){"command": func(t *rapid.T) {
		observed.look(g)
		cmd, outcome, err := g.Step(rapid.Uint64().Draw(t, "dice"))
		if err != nil {
			t.Fatal(err)
		}
		observed.add(cmd, outcome, g.NowMs()-created.GetAtMs())
		played.step(t)
	}})
	played.end(t)
}

// played is a hunt as far as it was compared.
type played struct {
	g        *huntgen.Generator
	game     *replay.Game // of this process
	programs []*program
	expected *pb.Record // what the programs are to answer next
}

// step gives the newest record to all, and compares what became of the one before.
func (p *played) step(t *rapid.T) {
	records := p.g.Records()
	given := records[len(records)-1]
	for _, program := range p.programs {
		program.give(t, given)
	}
	p.compare(t, len(records)-1, func(program *program) *pb.Record { return program.answer(t) })
	next, err := p.game.Play(given)
	if err != nil {
		t.Fatal(err)
	}
	p.expected = next
}

func (p *played) end(t *rapid.T) {
	if p.expected.GetDigest() == 0 { // the last one
		p.expected.Digest = p.game.Hunt().Digest()
	}
	p.compare(t, len(p.g.Records()), func(program *program) *pb.Record { return program.end(t) })
}

// compare holds what the programs answer to a record, which is counted from 1,
// against the Go rules of this process.
func (p *played) compare(t *rapid.T, record int, answer func(*program) *pb.Record) {
	for _, program := range p.programs {
		if got := answer(program); !proto.Equal(got, p.expected) {
			script := encode(t, p.g.Records()[:record])
			t.Fatalf("%s differs after %d commands; legacy-engine and player-state both replay %s\nrecord %d\nthe Go rules: %s\n%s: %s",
				program.name, record-1, keep(t, script), record, show(p.expected), program.name, show(got))
		}
	}
}
