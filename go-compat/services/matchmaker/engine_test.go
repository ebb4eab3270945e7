package matchmaker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// fakeEngine keeps hunts as the schema says, and fails as it is told to.
type fakeEngine struct {
	// fault is asked before and after each call has its effect; an error there is
	// the call's answer. May be nil.
	fault func(when, method, huntID string) error

	mu    sync.Mutex
	hunts map[string]*fakeHunt
}

type fakeHunt struct {
	settings *pb.HuntSettings
	startsAt time.Time
	endedAt  time.Time
	joins    map[uint64][]uint64 // request ids applied, by player
}

func newFakeEngine() *fakeEngine { return &fakeEngine{hunts: map[string]*fakeHunt{}} }

func (e *fakeEngine) call(ctx context.Context, method, huntID string, effect func() error) error {
	if err := ctx.Err(); err != nil {
		return playerstate.Unknown(codes.DeadlineExceeded, "%v", err)
	}
	if e.fault != nil {
		if err := e.fault("before", method, huntID); err != nil {
			return err
		}
	}
	e.mu.Lock()
	err := effect()
	e.mu.Unlock()
	if err == nil && e.fault != nil {
		err = e.fault("after", method, huntID)
	}
	return err
}

func (e *fakeEngine) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (answer *pb.CreateHuntResponse, err error) {
	err = e.call(ctx, "CreateHunt", req.HuntId, func() error {
		if failure := playerstate.CheckCreateHunt(req); failure != nil {
			return failure
		}
		hunt := e.hunts[req.HuntId]
		if hunt == nil {
			hunt = &fakeHunt{settings: req.Settings, startsAt: time.Now(), joins: map[uint64][]uint64{}}
			e.hunts[req.HuntId] = hunt
		}
		if hunt.settings.Seed != req.Settings.Seed {
			return playerstate.NotApplied(codes.AlreadyExists, "other settings")
		}
		answer = &pb.CreateHuntResponse{Epoch: 1, StartsAtMs: hunt.startsAt.UnixMilli()}
		return nil
	})
	return answer, err
}

func (e *fakeEngine) ApplyBatch(ctx context.Context, cmds []*pb.Command) (outcomes []*pb.Outcome, err error) {
	err = e.call(ctx, "ApplyBatch", cmds[0].HuntId, func() error {
		for _, cmd := range cmds {
			outcomes = append(outcomes, e.join(cmd))
		}
		return nil
	})
	return outcomes, err
}

func (e *fakeEngine) join(cmd *pb.Command) *pb.Outcome {
	outcome := &pb.Outcome{RequestId: cmd.RequestId}
	hunt := e.hunts[cmd.HuntId]
	switch {
	case hunt == nil:
		return playerstate.Refused(cmd.RequestId, &pb.Refusal{Reason: pb.Refusal_REASON_UNKNOWN_HUNT})
	case slices.Contains(hunt.joins[cmd.PlayerId], cmd.RequestId):
		outcome.Verdict = pb.Verdict_VERDICT_DUPLICATE
	case hunt.over():
		outcome.Verdict, outcome.Rejection = pb.Verdict_VERDICT_REJECTED, pb.Rejection_REJECTION_HUNT_ENDED
	default:
		outcome.Verdict = pb.Verdict_VERDICT_APPLIED
		hunt.joins[cmd.PlayerId] = append(hunt.joins[cmd.PlayerId], cmd.RequestId)
	}
	return outcome
}

func (h *fakeHunt) endsAt() time.Time {
	if !h.endedAt.IsZero() {
		return h.endedAt
	}
	return h.startsAt.Add(time.Duration(h.settings.DurationMs) * time.Millisecond)
}

func (h *fakeHunt) over() bool { return !time.Now().Before(h.endsAt()) }

func (h *fakeHunt) standings() (standings []*pb.Standing) {
	for _, player := range slices.Sorted(maps.Keys(h.joins)) {
		standings = append(standings, &pb.Standing{PlayerId: player})
	}
	return standings
}

func (e *fakeEngine) known(id string) (*fakeHunt, error) {
	if hunt := e.hunts[id]; hunt != nil {
		return hunt, nil
	}
	return nil, playerstate.NotApplied(codes.NotFound, "hunt_id: no hunt %q here", id)
}

func (e *fakeEngine) EndHunt(ctx context.Context, req *pb.EndHuntRequest) (answer *pb.EndHuntResponse, err error) {
	err = e.call(ctx, "EndHunt", req.HuntId, func() error {
		hunt, err := e.known(req.HuntId)
		if err != nil {
			return err
		}
		if !hunt.over() {
			hunt.endedAt = time.Now()
		}
		answer = &pb.EndHuntResponse{Standings: hunt.standings(), Players: uint32(len(hunt.joins))}
		return nil
	})
	return answer, err
}

func (e *fakeEngine) GetHunt(ctx context.Context, req *pb.GetHuntRequest) (answer *pb.GetHuntResponse, err error) {
	err = e.call(ctx, "GetHunt", req.HuntId, func() error {
		hunt, err := e.known(req.HuntId)
		if err != nil {
			return err
		}
		answer = &pb.GetHuntResponse{
			Settings: hunt.settings, StartsAtMs: hunt.startsAt.UnixMilli(), EndsAtMs: hunt.endsAt().UnixMilli(),
			Players: uint32(len(hunt.joins)), Top: hunt.standings(), Ended: hunt.over(),
		}
		return nil
	})
	return answer, err
}

func (e *fakeEngine) GetPlayer(context.Context, *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error) {
	return nil, playerstate.NotApplied(codes.Unimplemented, "the matchmaker does not ask for players")
}

func (e *fakeEngine) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	outcomes, err := e.ApplyBatch(ctx, []*pb.Command{cmd})
	if err != nil {
		return nil, err
	}
	return outcomes[0], nil
}
