package sidecar

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// number draws 0, small ones and large ones.
func number(t *rapid.T, name string) uint64 {
	return rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(1, 300), rapid.Uint64()).Draw(t, name)
}

// unknown is a field of a newer schema, or none.
func unknown(t *rapid.T) []byte {
	if !rapid.Bool().Draw(t, "newer") {
		return nil
	}
	return protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), number(t, "unknown"))
}

func drawCommand(t *rapid.T) *pb.Command {
	cmd := &pb.Command{
		HuntId:   rapid.StringMatching(`[A-Za-z0-9._:-]{0,64}`).Draw(t, "hunt"),
		PlayerId: number(t, "player"), RequestId: number(t, "request"),
		ExpectedVersion: uint32(number(t, "version")), BudgetMs: uint32(number(t, "budget")), Epoch: number(t, "epoch"),
	}
	switch rapid.IntRange(0, 8).Draw(t, "action") {
	case 0:
		cmd.Action = &pb.Command_Join{Join: &pb.Join{}}
	case 1:
		cmd.Action = &pb.Command_Leave{Leave: &pb.Leave{}}
	case 2:
		step := &pb.Move{X: uint32(number(t, "x")), Y: uint32(number(t, "y"))}
		step.ProtoReflect().SetUnknown(unknown(t))
		cmd.Action = &pb.Command_Move{Move: step}
	case 3:
		cmd.Action = &pb.Command_Dig{Dig: &pb.Dig{}}
	case 4:
		cmd.Action = &pb.Command_PickUp{PickUp: &pb.PickUp{}}
	case 5:
		cmd.Action = &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{
			PowerUp: rapid.StringMatching(`[a-z_]{0,32}`).Draw(t, "name"), TargetPlayerId: number(t, "target"),
		}}
	case 6:
		cmd.Action = &pb.Command_Move{} // an action whose message is missing
	case 7:
		cmd.Action = &pb.Command_Join{}
	}
	cmd.ProtoReflect().SetUnknown(unknown(t))
	return cmd
}

func TestACommandIsWrittenAsTheLibraryWritesIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cmd := drawCommand(t)
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(cmd)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendCommand([]byte("before"), cmd)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != "before"+string(want) {
			t.Fatalf("%v is\n%x and the library's\n%x", cmd, got[len("before"):], want)
		}
	})
}

func drawOutcome(t *rapid.T) *pb.Outcome {
	o := &pb.Outcome{
		RequestId: number(t, "request"), Verdict: pb.Verdict(rapid.IntRange(0, 9).Draw(t, "verdict")),
		Rejection: pb.Rejection(rapid.IntRange(0, 17).Draw(t, "rejection")), Epoch: number(t, "epoch"), Sequence: number(t, "sequence"),
	}
	if rapid.Bool().Draw(t, "known") {
		o.Player = &pb.PlayerSummary{
			X: uint32(number(t, "x")), Y: uint32(number(t, "y")), Score: number(t, "score"), Version: uint32(number(t, "version")),
		}
		o.Player.ProtoReflect().SetUnknown(unknown(t))
	}
	switch rapid.IntRange(0, 6).Draw(t, "more") {
	case 0:
		o.Refusal = &pb.Refusal{Reason: pb.Refusal_REASON_OVERLOADED, Detail: "full"}
	case 1:
		o.Impacts = []*pb.Impact{{PlayerId: 7, ScoreChange: -3}}
	case 2:
		o.Treasures = []*pb.Treasure{{X: 1, Value: 9}}
	case 3:
		o.PickedUp = "shield"
	}
	o.ProtoReflect().SetUnknown(unknown(t))
	return o
}

func TestOutcomesAreReadAsTheLibraryReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reply := &pb.ApplyBatchResponse{Outcomes: rapid.SliceOfN(rapid.Custom(drawOutcome), 0, 70).Draw(t, "outcomes")}
		reply.ProtoReflect().SetUnknown(unknown(t))
		message, err := proto.Marshal(reply)
		if err != nil {
			t.Fatal(err)
		}
		sameAsLibrary(t, message)
	})
}

// TestAChangedReplyIsReadOrRefusedAsTheLibraryDoes flips, cuts and repeats what a server sends.
func TestAChangedReplyIsReadOrRefusedAsTheLibraryDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		message, err := proto.Marshal(&pb.ApplyBatchResponse{Outcomes: rapid.SliceOfN(rapid.Custom(drawOutcome), 1, 3).Draw(t, "outcomes")})
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			if len(message) == 0 {
				break
			}
			at := rapid.IntRange(0, len(message)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "change") {
			case 0:
				message[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			case 1:
				message = message[:at]
			case 2:
				message = append(message, message[at:]...)
			}
		}
		sameAsLibrary(t, message)
	})
}

func sameAsLibrary(t *rapid.T, message []byte) {
	t.Helper()
	var want pb.ApplyBatchResponse
	var got outcomes
	wantErr, err := proto.Unmarshal(message, &want), got.read(message)
	if (wantErr == nil) != (err == nil) {
		t.Fatalf("%x: %v, and the library says %v", message, err, wantErr)
	}
	if err != nil {
		return
	}
	if len(got.all) != len(want.Outcomes) {
		t.Fatalf("%x: %d outcomes, and the library reads %d", message, len(got.all), len(want.Outcomes))
	}
	for i, outcome := range got.all {
		if !proto.Equal(outcome, want.Outcomes[i]) {
			t.Fatalf("%x: outcome %d is\n%v and the library's\n%v", message, i, outcome, want.Outcomes[i])
		}
	}
}
