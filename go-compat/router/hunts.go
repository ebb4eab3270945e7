package router

import (
	"context"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
)

// GetHunt implements [playerstate.Commander], from the hunt's owner. A hunt that
// has ended is shown for as long as its owner keeps it.
func (r *Router) GetHunt(ctx context.Context, req *pb.GetHuntRequest) (*pb.GetHuntResponse, error) {
	return read(ctx, r, req.GetHuntId(), playerstate.CheckGetHunt(req), func(ctx context.Context, e *ledger.Entry) (*pb.GetHuntResponse, error) {
		resp, err := r.engine(e.Owner).getHunt(ctx, req)
		return resp, r.checkMissing(e, err)
	})
}

// EndHunt implements [playerstate.Commander]. It is answered when the owner has
// ended the hunt and the ledger has it as CLOSED.
func (r *Router) EndHunt(ctx context.Context, req *pb.EndHuntRequest) (*pb.EndHuntResponse, error) {
	return read(ctx, r, req.GetHuntId(), playerstate.CheckHuntID(req.GetHuntId()), func(ctx context.Context, e *ledger.Entry) (*pb.EndHuntResponse, error) {
		resp, err := r.engine(e.Owner).endHunt(ctx, req)
		if err != nil {
			return nil, r.checkMissing(e, err)
		}
		if _, err := r.ledger.Finish(ctx, e.HuntID); err != nil { // the keeper closes it later, at its time
			return nil, unwritten(err)
		}
		return resp, nil
	})
}

// GetPlayer implements [playerstate.Commander], from the hunt's owner.
func (r *Router) GetPlayer(ctx context.Context, req *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error) {
	return read(ctx, r, req.GetHuntId(), playerstate.CheckGetPlayer(req), func(ctx context.Context, e *ledger.Entry) (*pb.GetPlayerResponse, error) {
		resp, err := r.engine(e.Owner).getPlayer(ctx, req)
		if codeOf(err) != codes.NotFound {
			return resp, err
		}
		// The player is unknown, or the whole hunt is.
		if _, huntErr := r.engine(e.Owner).getHunt(ctx, &pb.GetHuntRequest{HuntId: e.HuntID}); codeOf(huntErr) == codes.NotFound {
			return nil, r.checkMissing(e, huntErr)
		}
		return nil, err
	})
}

// read makes one call to the owner of a hunt, if it has one, and one more where the
// hunt had to be claimed first.
func read[Resp any](ctx context.Context, r *Router, huntID string, malformed *playerstate.Failure,
	call func(context.Context, *ledger.Entry) (*Resp, error),
) (*Resp, error) {
	if failure := r.enter(); failure != nil {
		return nil, failure
	}
	defer r.gate.Leave()
	if malformed != nil {
		return nil, malformed
	}
	e, ok := r.ledger.Lookup(huntID)
	if !ok {
		return nil, unknownHunt(huntID)
	}
	if text := idle(e); text != "" {
		return nil, notActive(e, text)
	}
	ctx, cancel := bounded(ctx, playerstate.DefaultTimeout)
	defer cancel()
	resp, err := call(ctx, e)
	if unclaimed(playerstate.RefusalOf(err)) {
		if next := r.awaitClaim(ctx, e, 0); next != nil {
			e = next
			resp, err = call(ctx, e)
		}
	}
	if err != nil { // a nil *Failure must not become an error
		return nil, r.recovering(e, failureOf(err))
	}
	return resp, nil
}

// checkMissing turns NOT_FOUND from an owner that should have the hunt into what it
// is. A hunt that has ended may be forgotten.
func (r *Router) checkMissing(e *ledger.Entry, err error) error {
	if codeOf(err) != codes.NotFound || e.State != ledger.Owned {
		return err
	}
	return r.missing(e)
}
