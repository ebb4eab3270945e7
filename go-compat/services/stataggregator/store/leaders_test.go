package store

import (
	"slices"
	"testing"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// dug is the record of a treasure dug up by a player.
func dug(sequence, player uint64, worth uint32, score uint64) *pb.Record {
	return &pb.Record{
		HuntId: "h", Epoch: 1, Sequence: sequence,
		Change: &pb.Record_Applied{Applied: &pb.Applied{
			Command: &pb.Command{HuntId: "h", PlayerId: player, RequestId: sequence, Action: &pb.Command_Dig{Dig: &pb.Dig{}}},
			Outcome: &pb.Outcome{
				Verdict: pb.Verdict_VERDICT_APPLIED, Sequence: sequence,
				Player: &pb.PlayerSummary{Score: score}, Treasures: []*pb.Treasure{{Value: worth}},
			},
		}},
	}
}

func TestEveryBoardIsInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, place func() string) {
		s := open(t, place())
		const highest = ^uint64(0) // stored as a negative number, and still behind 2 at a tie
		answer := &pb.ReadRecordsResponse{Cursor: []byte("c"), Records: []*pb.Record{
			dug(1, 3, 30, 30), dug(2, highest, 50, 50), dug(3, 2, 20, 20), dug(4, 2, 30, 50),
		}}
		if _, err := s.Count(t.Context(), "go", answer); err != nil {
			t.Fatal(err)
		}
		for _, board := range Boards {
			if _, err := s.Leaders(t.Context(), board, 10); err != nil {
				t.Errorf("%s: %v", board, err)
			}
		}
		for _, board := range []Board{Score, BestHunt} {
			leaders, err := s.Leaders(t.Context(), board, 10)
			if err != nil {
				t.Fatal(err)
			}
			var order []uint64
			for _, leader := range leaders {
				order = append(order, leader.Player)
			}
			if want := []uint64{2, highest, 3}; !slices.Equal(order, want) {
				t.Errorf("%s: %d, want %d", board, order, want)
			}
		}
		if _, err := s.Leaders(t.Context(), "height", 10); err != ErrNotFound {
			t.Errorf("a board that there is not: %v", err)
		}
	})
}
