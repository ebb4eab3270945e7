// Package testfeed is what the aggregator's tests read: hunts that were really
// played, and a feed that does as it is told.
package testfeed

import (
	"math/rand/v2"
	"testing"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy/replay"
	"treasurehunt.example/go-compat/services/huntgen"
)

// Hunt is a hunt that was played to its end, under every rule.
type Hunt struct {
	ID      string
	Records []*pb.Record // as the engine's feed gives them: 1, 2, 3 …
	Final   *pb.HuntSnapshot
}

// Play plays a generated hunt of so many commands. The seed decides it.
func Play(t testing.TB, seed uint64, commands int) Hunt {
	t.Helper()
	script, err := huntgen.Generate(seed, commands)
	if err != nil {
		t.Fatal(err)
	}
	game, created, err := replay.Open(script[0])
	if err != nil {
		t.Fatal(err)
	}
	hunt := Hunt{ID: created.GetHuntId(), Records: []*pb.Record{created}}
	ended := &pb.Record{
		HuntId: hunt.ID, AtMs: created.GetAtMs() + int64(created.GetCreated().GetSettings().GetDurationMs()),
		Change: &pb.Record_Ended{Ended: &pb.HuntEnded{}},
	}
	for _, given := range append(script[1:], ended) {
		if game.Hunt().Due(given.GetAtMs()) && given.GetEnded() == nil {
			break // what comes after the end is rejected, and has no record
		}
		record, err := game.Play(given)
		if err != nil {
			t.Fatal(err)
		}
		if record.GetSequence() > 0 && record.GetApplied().GetOutcome().GetVerdict() <= pb.Verdict_VERDICT_APPLIED {
			hunt.Records = append(hunt.Records, record)
		}
	}
	if hunt.Records[len(hunt.Records)-1].GetEnded() == nil {
		record, err := game.Play(ended)
		if err != nil {
			t.Fatal(err)
		}
		hunt.Records = append(hunt.Records, record)
	}
	hunt.Final = game.Hunt().Snapshot()
	for i, record := range hunt.Records {
		if record.GetSequence() != uint64(i+1) {
			t.Fatalf("seed %d: record %d of the hunt is at sequence %d", seed, i+1, record.GetSequence())
		}
	}
	return hunt
}

// Merge brings the records of hunts into one order, as an engine's feed does:
// each hunt's own order is kept.
func Merge(random *rand.Rand, hunts ...Hunt) []*pb.Record {
	var left [][]*pb.Record
	for _, hunt := range hunts {
		left = append(left, hunt.Records)
	}
	var merged []*pb.Record
	for len(left) > 0 {
		i := random.IntN(len(left))
		merged = append(merged, left[i][0])
		if left[i] = left[i][1:]; len(left[i]) == 0 {
			left = append(left[:i], left[i+1:]...)
		}
	}
	return merged
}
