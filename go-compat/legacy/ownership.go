package legacy

import (
	"context"
	"math/rand/v2"
	"slices"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/playerstate"
)

const (
	engineName = "legacy-go"
	ownerName  = "go"      // in a record of a change of owner
	durability = "process" // nothing is kept over it
)

// newIncarnation is a number that no other start of an engine has.
func newIncarnation() uint64 { return max(rand.Uint64(), 1) }

// Hello implements [playerstate.Mover].
func (e *Engine) Hello(ctx context.Context, req *pb.HelloRequest) (*pb.HelloResponse, error) {
	_, leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	seen := e.claims.incarnation.Load() // before this router
	if f := e.claims.fence(req.GetFence()); f != nil {
		return nil, f
	}
	return &pb.HelloResponse{
		Engine:                engineName,
		EngineIncarnation:     e.incarnation.Load(),
		RouterIncarnationSeen: seen,
		SchemaHash:            playerstate.SchemaHash,
		RulesVersion:          rules.Version,
		Durability:            durability,
	}, nil
}

// Probe implements [playerstate.Mover]. There is no journal to sync, and no path that
// all hunts share: that the engine is open is all that can be said.
func (e *Engine) Probe(ctx context.Context, _ *pb.ProbeRequest) (*pb.ProbeResponse, error) {
	_, leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return &pb.ProbeResponse{}, nil
}

// ListHunts implements [playerstate.Mover]. Each hunt answers for itself, so those of
// a page are of slightly different times.
func (e *Engine) ListHunts(ctx context.Context, req *pb.ListHuntsRequest) (*pb.ListHuntsResponse, error) {
	if f := playerstate.CheckListHunts(req); f != nil {
		return nil, f
	}
	var ids []string
	e.hunts.each(func(h *hunt) {
		if h.id > req.GetAfterHuntId() {
			ids = append(ids, h.id)
		}
	})
	slices.Sort(ids)
	page := &pb.ListHuntsResponse{More: len(ids) > int(req.GetMaxHunts())}
	for _, id := range ids[:min(len(ids), int(req.GetMaxHunts()))] {
		status, err := e.statusOf(ctx, id, req.GetWithDigest())
		if err != nil {
			return nil, err
		}
		if status != nil {
			page.Hunts = append(page.Hunts, status)
		}
	}
	return page, nil
}

// statusOf asks a hunt how it stands; nil: it has just gone.
func (e *Engine) statusOf(ctx context.Context, id string, withDigest bool) (*pb.HuntStatus, error) {
	status, err := put(ctx, e, id, &question{ownership: true}, func(h *hunt, _ int64) (*pb.HuntStatus, *playerstate.Failure) {
		return h.status(withDigest), nil
	})
	switch {
	case grpcstatus.Code(err) == codes.NotFound:
		return nil, nil
	case playerstate.RefusalOf(err).GetReason() == pb.Refusal_REASON_QUARANTINED: // of what failed inside nothing is read
		return &pb.HuntStatus{HuntId: id, State: pb.HuntStatus_STATE_QUARANTINED}, nil
	}
	return status, err
}

func (h *hunt) status(withDigest bool) *pb.HuntStatus {
	s := &pb.HuntStatus{
		HuntId: h.id, State: h.state(), Epoch: h.game.Epoch(), RecordEpoch: h.game.Epoch(),
		Sequence: h.game.Sequence(), Ended: h.game.Ended(),
	}
	if withDigest {
		s.Digest = h.game.Digest()
	}
	return s
}

func (h *hunt) state() pb.HuntStatus_State {
	if h.recovered {
		return pb.HuntStatus_STATE_RECOVERED
	}
	return pb.HuntStatus_STATE_ACTIVE
}

// Activate implements [playerstate.Mover].
func (e *Engine) Activate(ctx context.Context, req *pb.ActivateRequest) (*pb.ActivateResponse, error) {
	if f := playerstate.CheckActivate(req); f != nil {
		return nil, f
	}
	if f := e.claims.fence(req.GetFence()); f != nil {
		return nil, f
	}
	if own := e.incarnation.Load(); req.GetFence().GetEngineIncarnation() != own {
		return nil, playerstate.RefusedFor(&pb.Refusal{Reason: pb.Refusal_REASON_NOT_ACTIVE, Detail: "another start of this engine was meant"},
			"the call is for engine_incarnation %d; this start of the engine is %d: say Hello again", req.GetFence().GetEngineIncarnation(), own)
	}
	return put(ctx, e, req.GetHuntId(), &question{ownership: true}, func(h *hunt, _ int64) (*pb.ActivateResponse, *playerstate.Failure) {
		if f := h.activate(req); f != nil {
			return nil, f
		}
		return &pb.ActivateResponse{Sequence: h.epochFirst}, nil
	})
}

// activate is "Which call is taken in which state" of the handoff, for Activate.
func (h *hunt) activate(req *pb.ActivateRequest) *playerstate.Failure {
	switch epoch := h.game.Epoch(); {
	case !h.recovered && epoch == req.GetEpoch():
		return nil // it was taken before
	case !h.recovered || epoch >= req.GetEpoch():
		return playerstate.RefusedFor(&pb.Refusal{Reason: pb.Refusal_REASON_STALE_EPOCH, Owner: ownerName, Epoch: epoch, Detail: h.state().String()},
			"hunt %s is %s at epoch %d, and cannot be activated at %d", h.id, h.state(), epoch, req.GetEpoch())
	case h.game.Sequence() != req.GetSequence() || h.game.Digest() != req.GetDigest():
		return playerstate.RefusedFor(h.notActiveRefusal(), "hunt %s is %s at sequence %d with digest %016x, not at %d with %016x",
			h.id, h.state(), h.game.Sequence(), h.game.Digest(), req.GetSequence(), req.GetDigest())
	}
	return h.own(req)
}

// own makes the hunt this engine's, from its next record on.
func (h *hunt) own(req *pb.ActivateRequest) *playerstate.Failure {
	clock := huntTime{elapsed: h.engine.clock.Elapsed()}
	clock.baseMs = max(h.engine.clock.Wall().UnixMilli(), h.game.LastAtMs(), req.GetNotBeforeMs())
	if err := h.game.ChangeOwner(req.GetEpoch(), clock.baseMs); err != nil {
		panic(err) // the epoch was looked at, and the time never falls
	}
	h.time.Store(&clock)
	h.recovered, h.epochFirst = false, h.game.Sequence()
	h.append(h.game.OwnerChangedRecord(ownerName, req.GetMissed()), false)
	return nil
}

// Recover does to the hunts what a restart does to those of an engine that keeps a
// journal: they are there, and refused until a router claims them, under another
// incarnation. This engine keeps nothing, so only fakes call it.
func (e *Engine) Recover(ctx context.Context) error {
	e.incarnation.Store(newIncarnation())
	var failed error
	e.hunts.each(func(h *hunt) {
		_, err := put(ctx, e, h.id, &question{ownership: true}, func(h *hunt, _ int64) (struct{}, *playerstate.Failure) {
			h.recovered = true
			return struct{}{}, nil
		})
		if failed == nil {
			failed = err
		}
	})
	return failed
}
