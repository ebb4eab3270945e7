package router

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
)

// createTime bounds one attempt to create a hunt: the ledger's commits and the
// owner's answer.
const createTime = 2 * time.Second

// againTime bounds the question whether an owner still has a hunt: a frozen one
// leaves the caller time to hear the answer.
const againTime = playerstate.DefaultTimeout / 2

// CreateHunt implements [playerstate.Commander]. It places a new hunt by the
// flag; one that the ledger knows is answered from the ledger, unless its owner
// says that it has not got it: then as commands for it are. A caller that leaves
// does not stop the creation: the same request again gets its answer.
//
// epoch and router_incarnation must be 0: they are the router's to give.
func (r *Router) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	if failure := r.enter(); failure != nil {
		return nil, failure
	}
	defer r.gate.Leave()
	if failure := checkCreate(req); failure != nil {
		return nil, failure
	}
	ctx, cancel := bounded(ctx, playerstate.DefaultTimeout)
	defer cancel()
	if e, ok := r.ledger.Lookup(req.GetHuntId()); ok && e.State != ledger.Creating {
		return r.answerAgain(ctx, e, req.GetSettings())
	}
	created, failure := r.create(ctx, req.GetHuntId(), req.GetSettings())
	if failure != nil {
		return nil, failure
	}
	return answerOf(created, req.GetSettings())
}

// answerAgain repeats an answer that was given, unless the owner says that it has
// not got the hunt. One that is away, or slow, says nothing: the answer stands.
func (r *Router) answerAgain(ctx context.Context, e *ledger.Entry, settings *pb.HuntSettings) (*pb.CreateHuntResponse, error) {
	again, err := answerOf(e, settings)
	if err != nil || e.State != ledger.Owned {
		return again, err
	}
	asking, cancel := context.WithTimeout(ctx, againTime)
	defer cancel()
	if hunt, err := r.find(asking, e); err == nil && hunt == nil {
		return nil, r.missing(e)
	}
	return again, nil
}

func checkCreate(req *pb.CreateHuntRequest) *playerstate.Failure {
	if failure := playerstate.CheckCreateHunt(req); failure != nil {
		return failure
	}
	if req.GetEpoch() != 0 {
		return playerstate.Invalid("epoch", "must be 0: this is the router, which gives a hunt its epoch; this is %d", req.GetEpoch())
	}
	if req.GetRouterIncarnation() != 0 {
		return playerstate.Invalid("router_incarnation", "must be 0: this is the router, which has its own; this is %d", req.GetRouterIncarnation())
	}
	return nil
}

// answerOf answers a creation with what the ledger has.
func answerOf(e *ledger.Entry, settings *pb.HuntSettings) (*pb.CreateHuntResponse, error) {
	if !sameSettings(e.Settings, settings) {
		return nil, playerstate.NotApplied(codes.AlreadyExists, "hunt %q exists with other settings; ids are never used again, choose another", e.HuntID)
	}
	if text := idle(e); text != "" {
		return nil, notActive(e, text)
	}
	return &pb.CreateHuntResponse{Epoch: e.Epoch, StartsAtMs: e.StartsAtMs}, nil
}

// sameSettings compares settings as RULES keep them: as given, without what this
// schema does not know.
func sameSettings(kept, given *pb.HuntSettings) bool {
	if len(given.ProtoReflect().GetUnknown()) > 0 {
		given = proto.CloneOf(given)
		given.ProtoReflect().SetUnknown(nil)
	}
	return proto.Equal(kept, given)
}

// attempt is the end of one try to create a hunt, shared by all who wait for it.
type attempt struct {
	entry    *ledger.Entry
	failure  *playerstate.Failure
	settings *pb.HuntSettings // of the caller that began it
}

// create brings a hunt to OWNED, or finds it there or beyond. All who ask for one
// hunt at a time share one attempt, which outlives each of them.
func (r *Router) create(ctx context.Context, huntID string, settings *pb.HuntSettings) (*ledger.Entry, *playerstate.Failure) {
	kept := proto.CloneOf(settings) // here: the caller may be gone, with his message, before the attempt begins
	shared := r.creations.DoChan(huntID, func() (any, error) {
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTime)
		defer cancel()
		a := attempt{settings: kept}
		a.entry, a.failure = r.attempt(own, huntID, a.settings)
		return a, nil
	})
	select {
	case result := <-shared:
		return result.Val.(attempt).resultFor(huntID, settings)
	case <-ctx.Done():
		return nil, playerstate.Unknown(status.FromContextError(ctx.Err()).Code(),
			"%v while hunt %q was being created; ask again, it is the same hunt", ctx.Err(), huntID)
	}
}

// resultFor is the attempt's end for one of its callers. A failure of other
// settings than the caller's says nothing of his.
func (a attempt) resultFor(huntID string, settings *pb.HuntSettings) (*ledger.Entry, *playerstate.Failure) {
	if a.failure != nil && !sameSettings(a.settings, settings) {
		return nil, playerstate.NotApplied(codes.Aborted, "another caller tried to create hunt %q with other settings at the same time; ask again", huntID)
	}
	return a.entry, a.failure
}

// attempt is one try. It runs once a hunt at a time, and sends nothing for a hunt
// that is OWNED or beyond.
func (r *Router) attempt(ctx context.Context, huntID string, settings *pb.HuntSettings) (*ledger.Entry, *playerstate.Failure) {
	if !r.gate.Enter() { // an attempt may outlive its callers, and the ledger not be closed under it
		return nil, playerstate.NotApplied(codes.Unavailable, "the router is closed")
	}
	defer r.gate.Leave()
	e, created, err := r.ledger.Create(ctx, huntID, r.place(huntID), settings)
	if err != nil {
		return nil, unwritten(err)
	}
	if e.State != ledger.Creating {
		return e, nil
	}
	if created {
		r.metrics.placed(e.Owner)
	}
	return r.ask(ctx, e, created)
}

// place chooses the engine of a new hunt.
func (r *Router) place(huntID string) ledger.Owner {
	if r.sidecarTakesHunts() && r.config.Rollout.Percent().Includes(huntID) {
		return ledger.Sidecar
	}
	return ledger.Go
}

// ask has the owner create the hunt, and keeps that it did. first says that no
// owner can have been asked before.
func (r *Router) ask(ctx context.Context, e *ledger.Entry, first bool) (*ledger.Entry, *playerstate.Failure) {
	resp, err := r.engine(e.Owner).createHunt(ctx, &pb.CreateHuntRequest{
		HuntId:            e.HuntID,
		Settings:          e.Settings,
		Epoch:             e.Epoch,
		RouterIncarnation: r.ledger.Meta().Incarnation,
	})
	if err != nil {
		return r.unasked(ctx, e, first, failureOf(err))
	}
	owned, err := r.ledger.Own(ctx, e.HuntID, resp.GetStartsAtMs())
	if err != nil {
		return nil, unwritten(err)
	}
	return owned, nil
}

// unasked decides about a hunt whose owner did not say yes.
func (r *Router) unasked(ctx context.Context, e *ledger.Entry, first bool, failure *playerstate.Failure) (*ledger.Entry, *playerstate.Failure) {
	refused := refusedForGood(failure)
	never := refused || first && failure.Fate == playerstate.FateNotApplied
	switch {
	case !never: // it may be there: this owner is asked until it answers
		return nil, playerstate.Unknown(failure.GRPCStatus().Code(),
			"hunt %q is CREATING at the %s engine, which did not answer (%s); ask again, it is the same hunt and the router keeps asking too, or begin another under a new id",
			e.HuntID, e.Owner, failure.GRPCStatus().Message())
	case e.Owner == ledger.Sidecar && !refused:
		return r.fallBack(ctx, e, failure)
	}
	if err := r.ledger.Abandon(ctx, e.HuntID); err != nil {
		return nil, unwritten(err)
	}
	return nil, failure
}

// fallBack gives a hunt to Go that surely never reached the sidecar.
func (r *Router) fallBack(ctx context.Context, e *ledger.Entry, failure *playerstate.Failure) (*ledger.Entry, *playerstate.Failure) {
	next, err := r.ledger.Reassign(ctx, e.HuntID, ledger.Go)
	if err != nil {
		return nil, unwritten(err)
	}
	r.metrics.fellBack(failure.GRPCStatus().Code())
	r.log.Warn("a new hunt fell back to Go: the sidecar was not reached, or did not take it", "hunt_id", e.HuntID, "cause", transportSaid(failure))
	return r.ask(ctx, next, true)
}

// refusedForGood says that the engine has not got this hunt, whenever it was asked:
// the same request would have been answered the same.
func refusedForGood(failure *playerstate.Failure) bool {
	switch failure.GRPCStatus().Code() {
	case codes.InvalidArgument, codes.AlreadyExists:
		return true
	default: // the codes are grpc's; of all others an earlier request may have fared better
		return false
	}
}
