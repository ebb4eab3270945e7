package legacy

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy/replay"
	"treasurehunt.example/go-compat/playerstate"
)

func routed() Config { return Config{Claim: ClaimRouter} }

func fenceOf(e *Engine) *pb.Fence {
	return &pb.Fence{LedgerId: "ledger", RouterIncarnation: 1, EngineIncarnation: e.incarnation.Load()}
}

func createAt(t *testing.T, e *Engine, id string, epoch uint64) {
	t.Helper()
	req := &pb.CreateHuntRequest{HuntId: id, Settings: testSettings(), Epoch: epoch, RouterIncarnation: 1}
	if _, err := e.CreateHunt(t.Context(), req); err != nil {
		t.Fatal(err)
	}
}

func listed(t *testing.T, e *Engine, id string) *pb.HuntStatus {
	t.Helper()
	page, err := e.ListHunts(t.Context(), &pb.ListHuntsRequest{MaxHunts: playerstate.MaxListHunts, WithDigest: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range page.GetHunts() {
		if status.GetHuntId() == id {
			return status
		}
	}
	t.Fatalf("%s is not among %v", id, page)
	return nil
}

// activation is what claims a hunt as it is listed.
func activation(e *Engine, status *pb.HuntStatus, epoch uint64) *pb.ActivateRequest {
	return &pb.ActivateRequest{
		HuntId: status.GetHuntId(), Epoch: epoch, Fence: fenceOf(e),
		Sequence: status.GetSequence(), Digest: status.GetDigest(),
	}
}

func recovered(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestARecoveredHuntAnswersNothingUntilItIsClaimedAndGoesOnWithOwnerChanged(t *testing.T) {
	inBubble(t, routed(), func(t *testing.T, e *Engine) {
		createAt(t, e, testHunt, 1)
		apply(t, e, join(testHunt, 7, 1))
		recovered(t, e)

		if got := apply(t, e, join(testHunt, 7, 2)).GetRefusal(); got.GetReason() != pb.Refusal_REASON_NOT_ACTIVE || got.GetEpoch() != 1 {
			t.Errorf("a command: %v", got)
		}
		for name, err := range map[string]error{
			"GetHunt": second(e.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: testHunt})),
			"EndHunt": second(e.EndHunt(t.Context(), &pb.EndHuntRequest{HuntId: testHunt})),
		} {
			if playerstate.RefusalOf(err).GetReason() != pb.Refusal_REASON_NOT_ACTIVE {
				t.Errorf("%s: %v", name, err)
			}
		}
		status := listed(t, e, testHunt)
		if status.GetState() != pb.HuntStatus_STATE_RECOVERED || status.GetEpoch() != 1 || status.GetSequence() != 2 {
			t.Fatalf("listed as %v", status)
		}

		time.Sleep(2 * time.Minute) // its time is up: the end is still stamped with when that was
		for range 2 {               // the same again is the same answer
			resp, err := e.Activate(t.Context(), activation(e, status, 5))
			if err != nil || resp.GetSequence() != 3 {
				t.Fatalf("%v, %v", resp, err)
			}
		}
		if got := apply(t, e, join(testHunt, 7, 1)); got.GetVerdict() != pb.Verdict_VERDICT_DUPLICATE {
			t.Errorf("a request repeated over the restart: %v", got)
		}
		page, err := e.ReadRecords(t.Context(), &pb.ReadRecordsRequest{MaxRecords: 100})
		if err != nil {
			t.Fatal(err)
		}
		var story string
		for _, r := range page.GetRecords() {
			story += fmt.Sprintf("%d@%d ", r.GetSequence(), r.GetEpoch())
		}
		changed, ended := page.GetRecords()[2], page.GetRecords()[3]
		if story != "1@1 2@1 3@5 4@5 " || changed.GetOwnerChanged().GetOwner() != "go" || changed.GetDigest() == 0 || ended.GetEnded() == nil {
			t.Errorf("the records are %s: %v", story, page.GetRecords())
		}
		wantReplay(t, page.GetRecords())
	})
}

func second[T any](_ T, err error) error { return err }

// wantReplay plays records through the rules and wants the same digests.
func wantReplay(t *testing.T, records []*pb.Record) {
	t.Helper()
	game, _, err := replay.Open(records[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, given := range records[1:] {
		played, err := game.Play(given)
		if err != nil {
			t.Fatalf("record %d: %v", given.GetSequence(), err)
		}
		if given.GetDigest() != 0 && played.GetDigest() != given.GetDigest() ||
			played.GetEpoch() != given.GetEpoch() || played.GetSequence() != given.GetSequence() {
			t.Errorf("replayed %v; want %v", played, given)
		}
	}
}

func TestActivateIsRefusedForAnyOtherStateEpochPlaceOrFence(t *testing.T) {
	inBubble(t, routed(), func(t *testing.T, e *Engine) {
		createAt(t, e, "active", 3)
		createAt(t, e, "kept", 3)
		recovered(t, e)
		active, kept := listed(t, e, "active"), listed(t, e, "kept")
		if _, err := e.Activate(t.Context(), activation(e, active, 4)); err != nil {
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			listed *pb.HuntStatus
			epoch  uint64
			change func(*pb.ActivateRequest)
			code   codes.Code
		}{
			"active below":  {active, 5, nil, codes.FailedPrecondition},
			"active above":  {active, 3, nil, codes.FailedPrecondition},
			"not above":     {kept, 3, nil, codes.FailedPrecondition},
			"sequence":      {kept, 4, func(r *pb.ActivateRequest) { r.Sequence++ }, codes.FailedPrecondition},
			"digest":        {kept, 4, func(r *pb.ActivateRequest) { r.Digest++ }, codes.FailedPrecondition},
			"ledger":        {kept, 4, func(r *pb.ActivateRequest) { r.Fence.LedgerId = "other" }, codes.FailedPrecondition},
			"other start":   {kept, 4, func(r *pb.ActivateRequest) { r.Fence.EngineIncarnation++ }, codes.FailedPrecondition},
			"no ledger":     {kept, 4, func(r *pb.ActivateRequest) { r.Fence.LedgerId = "" }, codes.InvalidArgument},
			"unknown":       {kept, 4, func(r *pb.ActivateRequest) { r.HuntId = "nobody" }, codes.NotFound},
			"no epoch":      {kept, 0, nil, codes.InvalidArgument},
			"no sequence":   {kept, 4, func(r *pb.ActivateRequest) { r.Sequence = 0 }, codes.InvalidArgument},
			"no router":     {kept, 4, func(r *pb.ActivateRequest) { r.Fence.RouterIncarnation = 0 }, codes.InvalidArgument},
			"active, other": {active, 9, func(r *pb.ActivateRequest) { r.Sequence = 9 }, codes.FailedPrecondition},
		} {
			req := activation(e, test.listed, test.epoch)
			if test.change != nil {
				test.change(req)
			}
			_, err := e.Activate(t.Context(), req)
			if got := playerstate.RefusalOf(err); test.code == codes.FailedPrecondition && name == "active below" && got.GetEpoch() != 4 {
				t.Errorf("%s: %v does not say the epoch", name, got)
			}
			if got := status.Code(err); got != test.code {
				t.Errorf("%s: %v; want %s", name, err, test.code)
			}
		}
		if got := listed(t, e, "kept"); got.GetState() != pb.HuntStatus_STATE_RECOVERED || got.GetSequence() != 1 {
			t.Errorf("a refused Activate changed it: %v", got)
		}
	})
}

func TestHelloObeysOneLedgerAndItsLatestRouter(t *testing.T) {
	inBubble(t, routed(), func(t *testing.T, e *Engine) {
		hello := func(ledger string, incarnation uint64) (*pb.HelloResponse, error) {
			return e.Hello(t.Context(), &pb.HelloRequest{Fence: &pb.Fence{LedgerId: ledger, RouterIncarnation: incarnation}})
		}
		first, err := hello("mine", 4)
		if err != nil || first.GetEngineIncarnation() == 0 || first.GetSchemaHash() != playerstate.SchemaHash || first.GetDurability() != "process" {
			t.Fatalf("%v, %v", first, err)
		}
		again, err := hello("mine", 5)
		if err != nil || again.GetRouterIncarnationSeen() != 4 || again.GetEngineIncarnation() != first.GetEngineIncarnation() {
			t.Errorf("%v, %v", again, err)
		}
		_, err = hello("mine", 4)
		wantCode(t, err, codes.FailedPrecondition)
		_, err = hello("other", 6)
		wantCode(t, err, codes.FailedPrecondition)
	})
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		_, err := e.Hello(t.Context(), &pb.HelloRequest{Fence: &pb.Fence{LedgerId: "mine", RouterIncarnation: 1}})
		wantCode(t, err, codes.FailedPrecondition)
	})
}

func TestHuntsAreListedInPagesByID(t *testing.T) {
	inBubble(t, routed(), func(t *testing.T, e *Engine) {
		for i := range 5 {
			createAt(t, e, fmt.Sprintf("h%d", i), 1)
		}
		var got []string
		after, more := "", true
		for more {
			page, err := e.ListHunts(t.Context(), &pb.ListHuntsRequest{AfterHuntId: after, MaxHunts: 2})
			if err != nil {
				t.Fatal(err)
			}
			for _, status := range page.GetHunts() {
				after = status.GetHuntId()
				got = append(got, after)
			}
			more = page.GetMore()
		}
		if fmt.Sprint(got) != "[h0 h1 h2 h3 h4]" {
			t.Error(got)
		}
	})
}
