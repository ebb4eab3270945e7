package legacy

import (
	"sync/atomic"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// Claim says who gives hunts their epochs.
type Claim uint8

const (
	// ClaimRouter takes epochs from a router's ledger, as CreateHunt names them.
	ClaimRouter Claim = iota
	// ClaimAuto makes the engine its own ledger: every hunt begins at epoch 1.
	ClaimAuto
)

const firstEpoch = 1

// claims decides at which epoch a hunt may be created, and which router is obeyed.
type claims struct {
	by          Claim
	incarnation atomic.Uint64          // the highest of a router seen
	ledgerID    atomic.Pointer[string] // of the first router that said Hello; nil: none did
}

func (c *claims) admit(req *pb.CreateHuntRequest) (epoch uint64, refusal *playerstate.Failure) {
	if c.by == ClaimAuto {
		if req.GetEpoch() != 0 || req.GetRouterIncarnation() != 0 {
			return 0, playerstate.NotApplied(codes.FailedPrecondition,
				"this engine claims hunts by itself (claim auto): send epoch 0 and router_incarnation 0, not %d and %d; or start it with claim router",
				req.GetEpoch(), req.GetRouterIncarnation())
		}
		return firstEpoch, nil
	}
	if req.GetEpoch() == 0 || req.GetRouterIncarnation() == 0 {
		return 0, playerstate.NotApplied(codes.FailedPrecondition,
			"this engine is claimed by a router (claim router): create hunts through it, or send its epoch and router_incarnation, both at least 1; or start the engine with claim auto")
	}
	return req.GetEpoch(), c.obey(req.GetRouterIncarnation())
}

// obey refuses a router that was replaced.
func (c *claims) obey(incarnation uint64) *playerstate.Failure {
	if seen := c.see(incarnation); seen > incarnation {
		return playerstate.NotApplied(codes.FailedPrecondition,
			"router_incarnation %d is of a router that was replaced: this engine has seen %d", incarnation, seen)
	}
	return nil
}

// fence refuses a router of another ledger than the first, and one that was replaced.
func (c *claims) fence(f *pb.Fence) *playerstate.Failure {
	if c.by == ClaimAuto {
		return playerstate.NotApplied(codes.FailedPrecondition,
			"this engine claims hunts by itself (claim auto) and obeys no router; start it with claim router")
	}
	if f := playerstate.CheckFence(f); f != nil {
		return f
	}
	ledgerID := f.GetLedgerId()
	if !c.ledgerID.CompareAndSwap(nil, &ledgerID) && *c.ledgerID.Load() != ledgerID {
		return playerstate.NotApplied(codes.FailedPrecondition,
			"this engine belongs to the ledger %q, not to %q: a router of another shard may have its address", *c.ledgerID.Load(), ledgerID)
	}
	return c.obey(f.GetRouterIncarnation())
}

// see raises the highest incarnation seen, and tells it.
func (c *claims) see(incarnation uint64) uint64 {
	for {
		seen := c.incarnation.Load()
		if seen >= incarnation {
			return seen
		}
		if c.incarnation.CompareAndSwap(seen, incarnation) {
			return incarnation
		}
	}
}
