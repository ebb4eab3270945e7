package playerstatetest

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy"
	"treasurehunt.example/go-compat/playerstate"
)

// through takes one call past its faults to the engine and back.
func through[Resp any](ctx context.Context, f *Fake, method Method, about []subject,
	call func(context.Context, *legacy.Engine) (Resp, error),
) (Resp, error) {
	var none Resp
	if _, ok := ctx.Deadline(); !ok { // as every engine does it, also while a call is held
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, playerstate.DefaultTimeout)
		defer cancel()
	}
	met := f.meet(method, about)
	for _, each := range met {
		if each.before == nil {
			continue
		}
		if failure := each.before(ctx); failure != nil {
			return none, failure
		}
	}
	engine, _ := f.running()
	if engine == nil {
		return none, away()
	}
	resp, err := call(ctx, engine)
	if err != nil {
		return none, err
	}
	for _, each := range met {
		if each.after == nil {
			continue
		}
		if failure := each.after(ctx); failure != nil {
			return none, failure
		}
	}
	return resp, nil
}

// CreateHunt implements [playerstate.Commander].
func (f *Fake) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	return through(ctx, f, CreateHunt, []subject{{hunt: req.GetHuntId()}}, func(ctx context.Context, engine *legacy.Engine) (*pb.CreateHuntResponse, error) {
		resp, err := engine.CreateHunt(ctx, req)
		if err == nil {
			f.created(req.GetHuntId())
		}
		return resp, err
	})
}

func (f *Fake) created(huntID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.hunts, huntID) { // it may be a repeated call
		f.hunts = append(f.hunts, huntID)
	}
}

// EndHunt implements [playerstate.Commander].
func (f *Fake) EndHunt(ctx context.Context, req *pb.EndHuntRequest) (*pb.EndHuntResponse, error) {
	return through(ctx, f, EndHunt, []subject{{hunt: req.GetHuntId()}}, func(ctx context.Context, engine *legacy.Engine) (*pb.EndHuntResponse, error) {
		return engine.EndHunt(ctx, req)
	})
}

// GetHunt implements [playerstate.Commander].
func (f *Fake) GetHunt(ctx context.Context, req *pb.GetHuntRequest) (*pb.GetHuntResponse, error) {
	return through(ctx, f, GetHunt, []subject{{hunt: req.GetHuntId()}}, func(ctx context.Context, engine *legacy.Engine) (*pb.GetHuntResponse, error) {
		return engine.GetHunt(ctx, req)
	})
}

// GetPlayer implements [playerstate.Commander].
func (f *Fake) GetPlayer(ctx context.Context, req *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error) {
	about := []subject{{hunt: req.GetHuntId(), player: req.GetPlayerId()}}
	return through(ctx, f, GetPlayer, about, func(ctx context.Context, engine *legacy.Engine) (*pb.GetPlayerResponse, error) {
		return engine.GetPlayer(ctx, req)
	})
}

// Apply implements [playerstate.Commander].
func (f *Fake) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	outcomes, err := f.ApplyBatch(ctx, []*pb.Command{cmd})
	if err != nil {
		return nil, err
	}
	return outcomes[0], nil
}

// ApplyBatch implements [playerstate.Commander].
func (f *Fake) ApplyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	if failure := playerstate.CheckBatch(len(cmds)); failure != nil {
		return nil, failure
	}
	about := make([]subject, len(cmds))
	for i, cmd := range cmds {
		about[i] = subject{hunt: cmd.GetHuntId(), player: cmd.GetPlayerId()}
	}
	came := f.clock.Elapsed()
	return through(ctx, f, Apply, about, func(ctx context.Context, engine *legacy.Engine) ([]*pb.Outcome, error) {
		return f.apply(ctx, engine, cmds, f.clock.Elapsed()-came)
	})
}

// apply answers the commands that a fault refuses and those whose budget ran out
// while they were held, and has the engine answer the others.
func (f *Fake) apply(ctx context.Context, engine *legacy.Engine, cmds []*pb.Command, held time.Duration) ([]*pb.Outcome, error) {
	outcomes := make([]*pb.Outcome, len(cmds))
	var rest []*pb.Command
	var places []int
	for i, cmd := range cmds {
		budget := time.Duration(cmd.GetBudgetMs()) * time.Millisecond
		switch {
		case playerstate.MalformedField(cmd) != "": // the engine says so first, by RULES
		case budget != 0 && held >= budget:
			outcomes[i] = &pb.Outcome{RequestId: cmd.GetRequestId(), Verdict: pb.Verdict_VERDICT_EXPIRED}
			continue
		default:
			if refusal := f.refusalOf(cmd); refusal != nil {
				outcomes[i] = playerstate.Refused(cmd.GetRequestId(), proto.CloneOf(refusal))
				continue
			}
		}
		rest, places = append(rest, cmd), append(places, i)
	}
	if len(rest) == 0 {
		return outcomes, nil
	}
	answered, err := engine.ApplyBatch(ctx, rest)
	if err != nil {
		return nil, err
	}
	for n, i := range places {
		outcomes[i] = answered[n]
	}
	return outcomes, nil
}

// ReadRecords implements [playerstate.Feeder].
func (f *Fake) ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	return through(ctx, f, ReadRecords, []subject{{hunt: req.GetHuntId()}}, func(ctx context.Context, engine *legacy.Engine) (*pb.ReadRecordsResponse, error) {
		return engine.ReadRecords(ctx, req)
	})
}

// GetRecord implements [playerstate.Feeder].
func (f *Fake) GetRecord(ctx context.Context, req *pb.GetRecordRequest) (*pb.GetRecordResponse, error) {
	return through(ctx, f, GetRecord, []subject{{hunt: req.GetHuntId()}}, func(ctx context.Context, engine *legacy.Engine) (*pb.GetRecordResponse, error) {
		return engine.GetRecord(ctx, req)
	})
}

// Hello implements [playerstate.Mover].
func (f *Fake) Hello(ctx context.Context, req *pb.HelloRequest) (*pb.HelloResponse, error) {
	return through(ctx, f, Hello, []subject{{}}, func(ctx context.Context, engine *legacy.Engine) (*pb.HelloResponse, error) {
		return engine.Hello(ctx, req)
	})
}

// ListHunts implements [playerstate.Mover].
func (f *Fake) ListHunts(ctx context.Context, req *pb.ListHuntsRequest) (*pb.ListHuntsResponse, error) {
	return through(ctx, f, ListHunts, []subject{{}}, func(ctx context.Context, engine *legacy.Engine) (*pb.ListHuntsResponse, error) {
		return engine.ListHunts(ctx, req)
	})
}

// Probe implements [playerstate.Mover].
func (f *Fake) Probe(ctx context.Context, req *pb.ProbeRequest) (*pb.ProbeResponse, error) {
	return through(ctx, f, Probe, []subject{{}}, func(ctx context.Context, engine *legacy.Engine) (*pb.ProbeResponse, error) {
		return engine.Probe(ctx, req)
	})
}

// Activate implements [playerstate.Mover].
func (f *Fake) Activate(ctx context.Context, req *pb.ActivateRequest) (*pb.ActivateResponse, error) {
	return through(ctx, f, Activate, []subject{{hunt: req.GetHuntId()}}, func(ctx context.Context, engine *legacy.Engine) (*pb.ActivateResponse, error) {
		return engine.Activate(ctx, req)
	})
}
