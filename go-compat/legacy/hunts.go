package legacy

import (
	"context"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/internal/gate"
	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/playerstate"
)

// CreateHunt implements [playerstate.Commander].
func (e *Engine) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	ctx, leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if f := playerstate.CheckCreateHunt(req); f != nil {
		return nil, f
	}
	ruleset, known := e.rulesets.Load().named(req.GetSettings().GetRuleset())
	if !known {
		return nil, playerstate.Invalid("settings.ruleset", "this engine has no ruleset %q", req.GetSettings().GetRuleset())
	}
	epoch, refusal := e.claims.admit(req)
	if refusal != nil {
		return nil, refusal
	}
	h := e.hunts.find(req.GetHuntId())
	if h == nil {
		if e.gone.has(req.GetHuntId()) {
			return nil, playerstate.NotApplied(codes.AlreadyExists, "hunt %s ended and was dropped; ids are never reused: take a new one", req.GetHuntId())
		}
		if h, refusal = e.begin(req, ruleset, epoch); refusal != nil {
			return nil, refusal
		}
	}
	return h.createdAs(ctx, req, epoch)
}

// begin makes a hunt and starts its goroutine, or gives the one that somebody
// else made meanwhile under the same id.
func (e *Engine) begin(req *pb.CreateHuntRequest, ruleset *rules.Ruleset, epoch uint64) (*hunt, *playerstate.Failure) {
	if f := e.room.take(&e.limits, req.GetSettings()); f != nil {
		return nil, f
	}
	h := e.newHunt(req, ruleset, epoch)
	if other := e.hunts.add(h); other != nil {
		h.retire()
		e.room.give(req.GetSettings(), 0)
		return other, nil
	}
	e.running.Go(h.run)
	return h, nil
}

func (e *Engine) newHunt(req *pb.CreateHuntRequest, ruleset *rules.Ruleset, epoch uint64) *hunt {
	clock := huntTime{baseMs: e.clock.Wall().UnixMilli(), elapsed: e.clock.Elapsed()}
	h := &hunt{
		id:      req.GetHuntId(),
		serial:  e.serials.Add(1),
		answer:  &pb.CreateHuntResponse{Epoch: epoch, StartsAtMs: clock.baseMs},
		dueAtMs: clock.baseMs + int64(req.GetSettings().GetDurationMs()),
		engine:  e,
		mailbox: make(chan job, e.limits.QueueCalls),
		door:    gate.New(),
		opened:  make(chan struct{}),
		game:    rules.Create(req.GetHuntId(), req.GetSettings(), ruleset, epoch, clock.baseMs),

		epochFirst: 1,
	}
	h.time.Store(&clock)
	h.life, h.retire = context.WithCancel(e.life)
	return h
}

// createdAs answers a CreateHunt of a hunt that is there, when its record is.
func (h *hunt) createdAs(ctx context.Context, req *pb.CreateHuntRequest, epoch uint64) (*pb.CreateHuntResponse, error) {
	if !h.game.HasSettings(req.GetSettings()) {
		return nil, playerstate.NotApplied(codes.AlreadyExists, "hunt %s exists with other settings; ids are never reused: take a new one", h.id)
	}
	if epoch != h.answer.GetEpoch() {
		return nil, playerstate.NotApplied(codes.FailedPrecondition, "hunt %s was created at epoch %d, not %d", h.id, h.answer.GetEpoch(), epoch)
	}
	select {
	case <-h.opened:
		return &pb.CreateHuntResponse{Epoch: h.answer.GetEpoch(), StartsAtMs: h.answer.GetStartsAtMs()}, nil
	case <-ctx.Done():
		return nil, leftEarly(ctx, playerstate.FateUnknown)
	}
}

// EndHunt implements [playerstate.Commander]. Once ended, a hunt answers the same
// again.
func (e *Engine) EndHunt(ctx context.Context, req *pb.EndHuntRequest) (*pb.EndHuntResponse, error) {
	if f := playerstate.CheckHuntID(req.GetHuntId()); f != nil {
		return nil, f
	}
	return ask(ctx, e, req.GetHuntId(), func(h *hunt, atMs int64) (*pb.EndHuntResponse, *playerstate.Failure) {
		h.end(atMs)
		result := h.game.Result()
		return &pb.EndHuntResponse{Standings: result.GetStandings(), Players: result.GetPlayers()}, nil
	})
}

// GetHunt implements [playerstate.Commander].
func (e *Engine) GetHunt(ctx context.Context, req *pb.GetHuntRequest) (*pb.GetHuntResponse, error) {
	if f := playerstate.CheckGetHunt(req); f != nil {
		return nil, f
	}
	top := int(req.GetTop())
	return ask(ctx, e, req.GetHuntId(), func(h *hunt, _ int64) (*pb.GetHuntResponse, *playerstate.Failure) {
		return h.game.Overview(top), nil
	})
}

// GetPlayer implements [playerstate.Commander].
func (e *Engine) GetPlayer(ctx context.Context, req *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error) {
	if f := playerstate.CheckGetPlayer(req); f != nil {
		return nil, f
	}
	id := req.GetPlayerId()
	return ask(ctx, e, req.GetHuntId(), func(h *hunt, atMs int64) (*pb.GetPlayerResponse, *playerstate.Failure) {
		view := h.game.Player(id, atMs)
		if view == nil {
			return nil, playerstate.NotApplied(codes.NotFound, "player %d never joined hunt %s", id, h.id)
		}
		return view, nil
	})
}

// ask has a hunt's goroutine answer a question.
func ask[T any](ctx context.Context, e *Engine, huntID string, answer func(*hunt, int64) (T, *playerstate.Failure)) (T, error) {
	return put(ctx, e, huntID, &question{}, answer)
}

// put is ask for a question of either kind.
func put[T any](ctx context.Context, e *Engine, huntID string, q *question, answer func(*hunt, int64) (T, *playerstate.Failure)) (T, error) {
	var none T
	ctx, leave, err := e.enter(ctx)
	if err != nil {
		return none, err
	}
	defer leave()
	h := e.hunts.find(huntID)
	if h == nil {
		return none, notFound(huntID)
	}
	var got T // read only after done: a caller who left never looks
	q.done = make(chan *playerstate.Failure, 1)
	q.answer = func(h *hunt, atMs int64) (f *playerstate.Failure) {
		got, f = answer(h, atMs)
		return f
	}
	switch h.post(job{ask: q}) {
	case postedFull:
		return none, playerstate.RetryLater(codes.ResourceExhausted, retryLater, "%d calls wait for hunt %s, which is the limit; try again later", e.limits.QueueCalls, huntID)
	case postedGone:
		return none, h.unknown()
	case postedOK:
	}
	select {
	case f := <-q.done:
		if f != nil {
			return none, f
		}
		return got, nil
	case <-ctx.Done():
		if q.stage.CompareAndSwap(waiting, left) {
			return none, leftEarly(ctx, playerstate.FateNotApplied)
		}
		return none, leftEarly(ctx, playerstate.FateUnknown)
	}
}
