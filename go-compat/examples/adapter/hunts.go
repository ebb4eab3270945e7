package adapter

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"treasurehunt.example/go-compat/examples/adapter/oldengine"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

const firstEpoch = 1

// hunt is one game of the old engine, and what the seam asks for beside it.
type hunt struct {
	// These never change.
	id       string
	settings *pb.HuntSettings
	epoch    uint64

	turn chan struct{} // holds a value while somebody works on what follows

	game     *oldengine.Game
	sequence uint64 // of the last change; the creation is 1
	players  map[uint64]*player
}

// player is what the seam asks for of each.
type player struct {
	version    uint32
	remembered []request // the last few applied, by id
}

type request struct{ id, sequence uint64 }

// take waits for the hunt, as long as the caller has. A mutex would not let go of
// callers whose time is up.
func (h *hunt) take(ctx context.Context) *playerstate.Failure {
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return left(ctx)
	}
}

func (h *hunt) give() { <-h.turn }

// CreateHunt implements [playerstate.Commander]. The epoch is the router's; without
// one it is 1.
func (a *Adapter) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	_, cancel, err := a.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	if failure := playerstate.CheckCreateHunt(req); failure != nil {
		return nil, failure
	}
	if name := req.GetSettings().GetRuleset(); name != "" {
		return nil, playerstate.Invalid("settings.ruleset", "this engine has rules of its own, and no ruleset %q", name)
	}
	h, failure := a.add(req)
	if failure != nil {
		return nil, failure
	}
	if !proto.Equal(h.settings, req.GetSettings()) {
		return nil, playerstate.NotApplied(codes.AlreadyExists, "hunt %s exists with other settings; take a new id", h.id)
	}
	return &pb.CreateHuntResponse{Epoch: h.epoch, StartsAtMs: h.game.Began().UnixMilli()}, nil
}

// add begins a hunt, or gives the one that has its id.
func (a *Adapter) add(req *pb.CreateHuntRequest) (*hunt, *playerstate.Failure) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if h := a.hunts[req.GetHuntId()]; h != nil {
		return h, nil
	}
	if len(a.hunts) >= huntsMax {
		return nil, playerstate.RetryLater(codes.ResourceExhausted, time.Minute, "this engine is at its limit of %d hunts", huntsMax)
	}
	settings := proto.CloneOf(req.GetSettings()) // the request is the caller's
	h := &hunt{
		id: req.GetHuntId(), settings: settings, epoch: max(req.GetEpoch(), firstEpoch),
		turn: make(chan struct{}, 1), sequence: 1, players: map[uint64]*player{},
		game: oldengine.Begin(oldengine.Rules{
			Seed:  settings.GetSeed(),
			Width: int(settings.GetWidth()), Height: int(settings.GetHeight()),
			Chests: int(settings.GetTreasures()), Seats: int(settings.GetMaxPlayers()),
			Lasting: time.Duration(settings.GetDurationMs()) * time.Millisecond,
		}),
	}
	a.hunts[h.id] = h
	return h, nil
}

// EndHunt implements [playerstate.Commander].
func (a *Adapter) EndHunt(ctx context.Context, req *pb.EndHuntRequest) (*pb.EndHuntResponse, error) {
	return with(ctx, a, req.GetHuntId(), playerstate.CheckHuntID(req.GetHuntId()), func(h *hunt) (*pb.EndHuntResponse, error) {
		h.game.Finish()
		const best = 100
		return &pb.EndHuntResponse{Standings: h.standings(best), Players: uint32(len(h.game.Ranks()))}, nil
	})
}

// standings are the best players, by score, then by id.
func (h *hunt) standings(most int) (standings []*pb.Standing) {
	ranks := h.game.Ranks() // in this order: a UUID sorts as its number does
	for _, rank := range ranks[:min(most, len(ranks))] {
		standings = append(standings, &pb.Standing{PlayerId: playerOf(rank.Who), Score: uint64(rank.Gold)})
	}
	return standings
}

// GetHunt implements [playerstate.Commander]. There is no digest: nobody compares
// this engine's state with another's.
func (a *Adapter) GetHunt(ctx context.Context, req *pb.GetHuntRequest) (*pb.GetHuntResponse, error) {
	return with(ctx, a, req.GetHuntId(), playerstate.CheckGetHunt(req), func(h *hunt) (*pb.GetHuntResponse, error) {
		over, ends := h.game.Over()
		return &pb.GetHuntResponse{
			Settings:      proto.CloneOf(h.settings),
			StartsAtMs:    h.game.Began().UnixMilli(),
			EndsAtMs:      ends.UnixMilli(),
			Players:       uint32(h.game.Seated()),
			TreasuresLeft: uint32(h.game.Buried()),
			Epoch:         h.epoch,
			Sequence:      h.sequence,
			Top:           h.standings(int(req.GetTop())),
			Ended:         over,
		}, nil
	})
}

// GetPlayer implements [playerstate.Commander].
func (a *Adapter) GetPlayer(ctx context.Context, req *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error) {
	return with(ctx, a, req.GetHuntId(), playerstate.CheckGetPlayer(req), func(h *hunt) (*pb.GetPlayerResponse, error) {
		shown := h.summary(req.GetPlayerId())
		if shown == nil {
			return nil, playerstate.NotApplied(codes.NotFound, "player %d never joined hunt %s", req.GetPlayerId(), h.id)
		}
		_, _, in, _ := h.game.Look(uuidOf(req.GetPlayerId()))
		return &pb.GetPlayerResponse{Player: shown, Present: in}, nil
	})
}

// summary is a player as outcomes carry them; nil: the hunt does not know them.
func (h *hunt) summary(playerID uint64) *pb.PlayerSummary {
	at, gold, _, known := h.game.Look(uuidOf(playerID))
	if !known {
		return nil
	}
	return &pb.PlayerSummary{X: uint32(at.X), Y: uint32(at.Y), Score: uint64(gold), Version: h.players[playerID].version}
}
