package legacy

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testHunt = "hunt-1"

func testSettings() *pb.HuntSettings {
	return &pb.HuntSettings{Seed: 7, Width: 8, Height: 8, Treasures: 20, Caches: 20, MaxPlayers: 10, DurationMs: 60_000}
}

// inBubble runs a test in its own time, with an engine that claims by itself.
func inBubble(t *testing.T, config Config, test func(t *testing.T, e *Engine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if config.Logger == nil {
			config.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
		}
		e := New(config)
		defer func() {
			if err := e.Close(t.Context()); err != nil {
				t.Errorf("Close: %v", err)
			}
		}()
		test(t, e)
	})
}

func auto() Config { return Config{Claim: ClaimAuto} }

func create(t *testing.T, e *Engine, id string) {
	t.Helper()
	if _, err := e.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: id, Settings: testSettings()}); err != nil {
		t.Fatalf("CreateHunt %s: %v", id, err)
	}
}

func join(hunt string, player, request uint64) *pb.Command {
	return &pb.Command{HuntId: hunt, PlayerId: player, RequestId: request, Action: &pb.Command_Join{Join: &pb.Join{}}}
}

func dig(hunt string, player, request uint64) *pb.Command {
	return &pb.Command{HuntId: hunt, PlayerId: player, RequestId: request, Action: &pb.Command_Dig{Dig: &pb.Dig{}}}
}

// stay moves a player to where they are.
func stay(hunt string, player, request uint64, at *pb.PlayerSummary) *pb.Command {
	return &pb.Command{
		HuntId: hunt, PlayerId: player, RequestId: request,
		Action: &pb.Command_Move{Move: &pb.Move{X: at.GetX(), Y: at.GetY()}},
	}
}

func apply(t *testing.T, e *Engine, cmd *pb.Command) *pb.Outcome {
	t.Helper()
	outcome, err := e.Apply(t.Context(), cmd)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return outcome
}

func wantCode(t *testing.T, err error, want codes.Code) {
	t.Helper()
	if got := status.Code(err); got != want {
		t.Fatalf("got %v (%v), want %v", got, err, want)
	}
}

func readAll(t *testing.T, e *Engine) []*pb.Record {
	t.Helper()
	reply, err := e.ReadRecords(t.Context(), &pb.ReadRecordsRequest{MaxRecords: 10_000})
	if err != nil {
		t.Fatalf("ReadRecords: %v", err)
	}
	return reply.GetRecords()
}

func TestAHuntIsPlayedAndReadBack(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, testHunt)
		joined := apply(t, e, join(testHunt, 7, 1))
		if joined.GetVerdict() != pb.Verdict_VERDICT_APPLIED || joined.GetSequence() != 2 || joined.GetEpoch() != 1 {
			t.Fatalf("join: %v", joined)
		}
		again := apply(t, e, join(testHunt, 7, 1))
		if again.GetVerdict() != pb.Verdict_VERDICT_DUPLICATE || again.GetSequence() != 2 {
			t.Fatalf("the same request again: %v", again)
		}
		records := readAll(t, e)
		if len(records) != 2 || records[0].GetCreated() == nil || records[1].GetApplied().GetOutcome().GetPlayer().GetVersion() != 1 {
			t.Fatalf("records: %v", records)
		}
		one, err := e.GetRecord(t.Context(), &pb.GetRecordRequest{HuntId: testHunt, Sequence: 2})
		if err != nil || one.GetRecord().GetApplied().GetCommand().GetPlayerId() != 7 {
			t.Fatalf("GetRecord: %v, %v", one, err)
		}
	})
}

func TestAHuntEndsByTimeThoughNobodyAsks(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, testHunt)
		started := time.Now().UnixMilli()
		time.Sleep(61 * time.Second)
		synctest.Wait()
		records := readAll(t, e)
		if len(records) != 2 || records[1].GetEnded() == nil {
			t.Fatalf("records: %v", records)
		}
		if at := records[1].GetAtMs(); at != started+60_000 {
			t.Errorf("ended at %d, want its own time %d", at, started+60_000)
		}
	})
}

func TestTheEndIsRecordedBeforeTheFirstHuntEnded(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		time.Sleep(sweepEvery / 2) // so that its time is up between two sweeps
		create(t, e, testHunt)
		apply(t, e, join(testHunt, 7, 1))
		time.Sleep(60 * time.Second)
		if o := apply(t, e, dig(testHunt, 7, 2)); o.GetRejection() != pb.Rejection_REJECTION_HUNT_ENDED {
			t.Fatalf("after the end: %v", o)
		}
		if records := readAll(t, e); records[len(records)-1].GetEnded() == nil {
			t.Fatalf("HUNT_ENDED was answered before the end's record: %v", records)
		}
	})
}

func TestEachCommandOfABatchHasItsOwnOutcome(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, testHunt)
		create(t, e, "hunt-2")
		stale := join(testHunt, 9, 1)
		stale.Epoch = 5
		outcomes, err := e.ApplyBatch(t.Context(), []*pb.Command{
			join(testHunt, 1, 1),
			join("no\nhunt", 2, 2),
			join("absent", 3, 3),
			join("hunt-2", 4, 4),
			{HuntId: testHunt, PlayerId: 5, RequestId: 5},
			join(testHunt, 0, 6),
			stale,
			dig(testHunt, 8, 8),
			join(testHunt, 1, 1),
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			"APPLIED", "INVALID hunt_id", "UNKNOWN_HUNT", "APPLIED", "INVALID action", "INVALID player_id",
			"STALE_EPOCH", "NOT_JOINED", "DUPLICATE",
		}
		for i, o := range outcomes {
			if got := brief(o); got != want[i] {
				t.Errorf("outcome %d: %s, want %s", i, got, want[i])
			}
		}
	})
}

// brief is what an outcome says, in a word or two.
func brief(o *pb.Outcome) string {
	switch {
	case o.GetRefusal() != nil:
		text := o.GetRefusal().GetReason().String()[len("REASON_"):]
		if o.GetRefusal().GetReason() == pb.Refusal_REASON_INVALID {
			text += " " + o.GetRefusal().GetDetail()
		}
		return text
	case o.GetRejection() != 0:
		return o.GetRejection().String()[len("REJECTION_"):]
	default:
		return o.GetVerdict().String()[len("VERDICT_"):]
	}
}

func TestBatchesOfTooManyOrNoneAreRefused(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		for _, n := range []int{0, playerstate.MaxBatch + 1} {
			_, err := e.ApplyBatch(t.Context(), make([]*pb.Command, n))
			wantCode(t, err, codes.InvalidArgument)
		}
	})
}

func TestAClosedEngineRefuses(t *testing.T) {
	e := New(auto())
	if err := e.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	_, err := e.Apply(t.Context(), join(testHunt, 1, 1))
	wantCode(t, err, codes.Unavailable)
	if playerstate.FateOf(err) != playerstate.FateNotApplied {
		t.Errorf("fate: %v", playerstate.FateOf(err))
	}
}
