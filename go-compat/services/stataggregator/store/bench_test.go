package store

import (
	"fmt"
	"math/rand/v2"
	"testing"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// BenchmarkCount counts pages as a busy shard's feed gives them: 200 hunts of 25
// players each, all of them moving and digging, 1,900 records a page.
func BenchmarkCount(b *testing.B) {
	onBoth(b, func(b *testing.B, place func() string) { count(b, open(b, place())) })
}

func count(b *testing.B, s Store) {
	const hunts, players, page = 200, 25, 1900
	random := rand.New(rand.NewPCG(1, 1))
	sequences, scores := make([]uint64, hunts), make([][players]uint64, hunts)
	next := func() *pb.Record {
		h, p := random.IntN(hunts), random.IntN(players)
		sequences[h]++
		cmd := &pb.Command{HuntId: fmt.Sprintf("hunt-%03d", h), PlayerId: uint64(1 + h*players + p), RequestId: sequences[h]}
		outcome := &pb.Outcome{RequestId: cmd.RequestId, Verdict: pb.Verdict_VERDICT_APPLIED, Sequence: sequences[h], Player: &pb.PlayerSummary{}}
		switch n := random.IntN(10); {
		case n < 7:
			cmd.Action = &pb.Command_Move{Move: &pb.Move{X: 1}}
		case n < 9:
			cmd.Action = &pb.Command_Dig{Dig: &pb.Dig{}}
			outcome.Treasures = []*pb.Treasure{{Value: 10}}
			scores[h][p] += 10
		default:
			cmd.Action = &pb.Command_PickUp{PickUp: &pb.PickUp{}}
			outcome.PickedUp = "shield"
		}
		outcome.Player.Score = scores[h][p]
		return &pb.Record{
			HuntId: cmd.HuntId, Epoch: 1, Sequence: sequences[h],
			Change: &pb.Record_Applied{Applied: &pb.Applied{Command: cmd, Outcome: outcome}},
		}
	}
	for b.Loop() {
		b.StopTimer()
		answer := &pb.ReadRecordsResponse{Cursor: []byte("cursor")}
		for range page {
			answer.Records = append(answer.Records, next())
		}
		b.StartTimer()
		counted, err := s.Count(b.Context(), "go", answer)
		if err != nil {
			b.Fatal(err)
		}
		if counted.Records != page || len(counted.Alarms) > 0 {
			b.Fatalf("%d counted, alarms %v", counted.Records, counted.Alarms)
		}
	}
	b.ReportMetric(float64(b.N*page)/b.Elapsed().Seconds(), "records/s")
}
