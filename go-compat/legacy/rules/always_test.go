package rules

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// The properties of "What is always true", on hunts that rapid makes and, when
// one fails, shrinks. It prints the seed.

// step is one stamped command of a generated play.
type step struct {
	cmd Command
	at  int64
}

// play is a generated hunt: crowded, on a small board, from the classic ruleset.
type play struct {
	settings *pb.HuntSettings
	steps    []step
}

func drawPlay(t *rapid.T, ruleset *Ruleset) play {
	p := play{settings: &pb.HuntSettings{
		Seed:       rapid.Uint64().Draw(t, "seed"),
		Width:      rapid.Uint32Range(2, 6).Draw(t, "width"),
		Height:     rapid.Uint32Range(2, 6).Draw(t, "height"),
		MaxPlayers: rapid.Uint32Range(1, 5).Draw(t, "max_players"),
		DurationMs: 100_000,
	}}
	half := p.settings.GetWidth() * p.settings.GetHeight() / 2
	p.settings.Treasures = rapid.Uint32Range(0, half).Draw(t, "treasures")
	p.settings.Caches = rapid.Uint32Range(half/2, half).Draw(t, "caches")
	at := int64(startsAt)
	for range rapid.IntRange(1, 150).Draw(t, "commands") {
		at += rapid.Int64Range(0, 1500).Draw(t, "after")
		p.steps = append(p.steps, step{cmd: drawCommand(t, &p, ruleset), at: at})
	}
	return p
}

func drawCommand(t *rapid.T, p *play, ruleset *Ruleset) Command {
	c := Command{
		PlayerID:  rapid.Uint64Range(1, 6).Draw(t, "player"),
		RequestID: rapid.Uint64Range(1, 200).Draw(t, "request"),
		Action: rapid.SampledFrom([]Action{
			Join, Join, Leave, Move, Move, Dig, Dig, PickUp, PickUp, PickUp, UsePowerUp, UsePowerUp, UsePowerUp, UsePowerUp,
		}).Draw(t, "action"),
	}
	switch c.Action {
	case Move:
		c.X = rapid.Uint32Range(0, p.settings.GetWidth()).Draw(t, "x")
		c.Y = rapid.Uint32Range(0, p.settings.GetHeight()).Draw(t, "y")
	case UsePowerUp:
		c.PowerUp = ruleset.powerUps[rapid.IntRange(0, len(ruleset.powerUps)-1).Draw(t, "power_up")].name
		c.Target = rapid.Uint64Range(0, 6).Draw(t, "target")
	case Join, Leave, Dig, PickUp:
	}
	return c
}

// begin makes the hunt, with everybody's pockets full so that power-ups meet.
func (p *play) begin(ruleset *Ruleset) *Hunt {
	h := Create("h", p.settings, ruleset, 1, startsAt)
	for id := uint64(1); id <= min(4, uint64(p.settings.GetMaxPlayers())); id++ {
		_, err := h.Apply(Command{PlayerID: id, RequestID: 1000, Action: Join}, startsAt)
		if err != nil {
			panic(err)
		}
		for i := range ruleset.powerUps {
			h.roster.players[h.roster.index[id]].inventory |= 2 << (4 * i)
		}
		h.roster.remembered[h.roster.index[id]] = remembered{}
		h.digest.touch(h.roster.index[id])
	}
	return h
}

func (s *step) apply(t *rapid.T, h *Hunt) *pb.Outcome {
	outcome, err := h.Apply(s.cmd, s.at)
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}

func TestScoresAddUpToWhatWasDugUp(t *testing.T) {
	ruleset := classic(t)
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlay(t, ruleset)
		h := p.begin(ruleset)
		dug := uint64(0)
		for _, s := range p.steps {
			outcome := s.apply(t, h)
			if s.cmd.Action == Dig {
				for _, treasure := range outcome.GetTreasures() {
					dug += uint64(treasure.GetValue())
				}
			}
			scores := uint64(0)
			for i := range h.roster.players {
				scores += h.roster.players[i].score
			}
			if scores != dug {
				t.Fatalf("after %+v the scores add up to %d, dug up were %d", s.cmd, scores, dug)
			}
		}
	})
}

func TestThingsAreTakenOnceAndItemsSpentOnce(t *testing.T) {
	ruleset := classic(t)
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlay(t, ruleset)
		h := p.begin(ruleset)
		held := func() (n int) {
			for i := range h.roster.players {
				for kind := range ruleset.powerUps {
					n += int(h.roster.players[i].held(kind))
				}
			}
			return n
		}
		taken, items := 0, held()
		for _, s := range p.steps {
			outcome := s.apply(t, h)
			if outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED {
				switch s.cmd.Action {
				case Dig:
					taken += len(outcome.GetTreasures())
				case PickUp:
					items++
				case UsePowerUp:
					items--
				case Join, Leave, Move:
				}
			}
			snapshot := h.Snapshot()
			if got := len(snapshot.GetTreasures()) + taken; got != int(p.settings.GetTreasures()) {
				t.Fatalf("treasures left and taken are %d, placed were %d", got, p.settings.GetTreasures())
			}
			if held() != items {
				t.Fatalf("after %+v %d items are held, want %d", s.cmd, held(), items)
			}
		}
	})
}

func TestOnlyWhatIsAppliedChangesAnything(t *testing.T) {
	ruleset := classic(t)
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlay(t, ruleset)
		h := p.begin(ruleset)
		before := h.Snapshot()
		for _, s := range p.steps {
			outcome := s.apply(t, h)
			after := h.Snapshot()
			applied := outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED
			if applied && after.GetSequence() != before.GetSequence()+1 {
				t.Fatalf("%+v took sequences %d to %d", s.cmd, before.GetSequence(), after.GetSequence())
			}
			if !applied && !proto.Equal(before, after) {
				t.Fatalf("%+v changed the hunt, though it was %v", s.cmd, outcome)
			}
			if got, want := h.Digest(), wholeDigest(after); got != want {
				t.Fatalf("after %+v the digest is %x, of the whole %x", s.cmd, got, want)
			}
			before = after
		}
	})
}

func TestAReplayFromAnySnapshotGivesTheSameOutcomesAndDigests(t *testing.T) {
	ruleset := classic(t)
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlay(t, ruleset)
		h := p.begin(ruleset)
		from := rapid.IntRange(0, len(p.steps)-1).Draw(t, "snapshot before command")
		var copied *Hunt
		for i, s := range p.steps {
			if i == from {
				snapshot := h.Snapshot()
				var err error
				if copied, err = Restore(snapshot, ruleset); err != nil {
					t.Fatal(err)
				}
				if !proto.Equal(copied.Snapshot(), snapshot) {
					t.Fatalf("restored as %v, not %v", copied.Snapshot(), snapshot)
				}
			}
			outcome := s.apply(t, h)
			if copied == nil {
				continue
			}
			if again := s.apply(t, copied); !proto.Equal(outcome, again) {
				t.Fatalf("%+v: first %v, from the snapshot %v", s.cmd, outcome, again)
			}
			if h.Digest() != copied.Digest() {
				t.Fatalf("digests differ at sequence %d", h.Sequence())
			}
		}
	})
}

func TestAnAppliedRequestIsNeverAppliedAgain(t *testing.T) {
	ruleset := classic(t)
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlay(t, ruleset)
		h := p.begin(ruleset)
		type request struct{ player, id uint64 }
		applied := make(map[request]uint64)
		for _, s := range p.steps {
			outcome, key := s.apply(t, h), request{s.cmd.PlayerID, s.cmd.RequestID}
			switch sequence, before := applied[key]; {
			case outcome.GetVerdict() == pb.Verdict_VERDICT_DUPLICATE && outcome.GetSequence() != sequence:
				t.Fatalf("%+v is DUPLICATE of %d, it was applied at %d", s.cmd, outcome.GetSequence(), sequence)
			case outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED && before:
				t.Fatalf("%+v was applied at %d, and again at %d", s.cmd, sequence, outcome.GetSequence())
			case outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED:
				applied[key] = outcome.GetSequence()
			}
		}
	})
}
