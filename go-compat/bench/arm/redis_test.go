package arm

import (
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"treasurehunt.example/go-compat/bench/crowd"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/internal/skipped"
)

// start runs Redis for the length of a test.
func start(t *testing.T) crowd.Engine {
	t.Helper()
	if _, err := redisServer(); err != nil {
		skipped.Test(t, err.Error())
	}
	dir, err := os.MkdirTemp("", "bench") // t.TempDir's path is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	running, err := Redis{}.Start(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	return running.Engine
}

// TestRedisChecksWhatTheSidecarChecks plays one player through every answer of the
// script: a peer that checks less would be a faster one.
func TestRedisChecksWhatTheSidecarChecks(t *testing.T) {
	engine := start(t)
	// Half of the cells have a treasure: so a player finds one, and a cell without.
	_, err := engine.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: "h", Settings: &pb.HuntSettings{
		Width: crowd.Side, Height: crowd.Side, Treasures: crowd.Side * crowd.Side / 2, DurationMs: 1 << 31,
	}})
	if err != nil {
		t.Fatal(err)
	}
	send := func(cmd *pb.Command) *pb.Outcome {
		t.Helper()
		outcome, err := engine.Apply(t.Context(), cmd)
		if err != nil {
			t.Fatal(err)
		}
		return outcome
	}
	command := func(request uint64) *pb.Command {
		return &pb.Command{HuntId: "h", PlayerId: 7, RequestId: request}
	}
	join := func(request uint64) *pb.Command {
		cmd := command(request)
		cmd.Action = &pb.Command_Join{Join: &pb.Join{}}
		return cmd
	}
	move := func(request uint64, x, y uint32) *pb.Command {
		cmd := command(request)
		cmd.Action = &pb.Command_Move{Move: &pb.Move{X: x, Y: y}}
		return cmd
	}
	expect := func(what string, got *pb.Outcome, want *pb.Outcome) {
		t.Helper()
		want.RequestId = got.GetRequestId()
		if !proto.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	rejected := func(why pb.Rejection, player *pb.PlayerSummary) *pb.Outcome {
		return &pb.Outcome{Verdict: pb.Verdict_VERDICT_REJECTED, Rejection: why, Player: player}
	}
	applied := func(sequence uint64, player *pb.PlayerSummary) *pb.Outcome {
		return &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED, Sequence: sequence, Player: player}
	}
	refused := func(why pb.Refusal_Reason) *pb.Outcome {
		return &pb.Outcome{Verdict: pb.Verdict_VERDICT_REFUSED, Refusal: &pb.Refusal{Reason: why}}
	}

	expect("nobody joined", send(move(10, 1, 1)), rejected(pb.Rejection_REJECTION_NOT_JOINED, &pb.PlayerSummary{}))
	player := send(join(10)).GetPlayer()
	x, y := player.GetX(), player.GetY()
	expect("the same request again", send(join(10)),
		&pb.Outcome{Verdict: pb.Verdict_VERDICT_DUPLICATE, Sequence: 1, Player: player})
	expect("too far", send(move(11, (x+crowd.Side/2)%crowd.Side, y)), rejected(pb.Rejection_REJECTION_TOO_FAR, player))
	expect("out of the field", send(move(11, crowd.Side, y)), rejected(pb.Rejection_REJECTION_OUT_OF_BOUNDS, player))
	expect("another hunt", send(&pb.Command{HuntId: "none", PlayerId: 7, RequestId: 11, Action: &pb.Command_Dig{Dig: &pb.Dig{}}}),
		refused(pb.Refusal_REASON_UNKNOWN_HUNT))

	sequence, request := uint64(1), uint64(10)
	var dug, missed bool
	// Digs and steps along a row, to the side that is farther: of 64 cells and more, chance alone has them all alike
	// once in 2^63 times.
	along := 1
	if x >= crowd.Side/2 {
		along = -1
	}
	for range 200 {
		request++
		x, y = player.GetX(), player.GetY()
		cmd := command(request)
		cmd.Action = &pb.Command_Dig{Dig: &pb.Dig{}}
		outcome := send(cmd)
		switch outcome.GetVerdict() {
		case pb.Verdict_VERDICT_APPLIED:
			sequence++
			score := outcome.GetPlayer().GetScore()
			if score <= player.GetScore() {
				t.Fatalf("a dig brought nothing: %v after %v", outcome, player)
			}
			expect("a dig", outcome, applied(sequence, &pb.PlayerSummary{X: x, Y: y, Score: score, Version: player.GetVersion() + 1}))
			player, dug = outcome.GetPlayer(), true
			request++
			again := command(request)
			again.Action = cmd.GetAction()
			expect("a dig where it was dug", send(again), rejected(pb.Rejection_REJECTION_NOTHING_HERE, player))
		default:
			expect("a dig in vain", outcome, rejected(pb.Rejection_REJECTION_NOTHING_HERE, player))
			missed = true
		}
		request++
		sequence++
		to := uint32(min(max(int(x)+along, 0), crowd.Side-1))
		next := &pb.PlayerSummary{X: to, Y: y, Score: player.GetScore(), Version: player.GetVersion() + 1}
		expect("a step", send(move(request, to, y)), applied(sequence, next))
		player = next
	}
	if !dug || !missed {
		t.Errorf("something was dug up: %v; a dig was in vain: %v", dug, missed)
	}
	expect("behind the four remembered requests", send(join(10)), refused(pb.Refusal_REASON_REQUEST_TOO_OLD))
}
