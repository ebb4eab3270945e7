package enginetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// doctored is a good engine of which one call is wrong. Each field is a method.
type doctored struct {
	create    func(context.Context, *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error)
	endHunt   func(context.Context, *pb.EndHuntRequest) (*pb.EndHuntResponse, error)
	getHunt   func(context.Context, *pb.GetHuntRequest) (*pb.GetHuntResponse, error)
	getPlayer func(context.Context, *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error)
	apply     func(context.Context, []*pb.Command) ([]*pb.Outcome, error)
	read      func(context.Context, *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error)
	getRecord func(context.Context, *pb.GetRecordRequest) (*pb.GetRecordResponse, error)
	closing   func(context.Context) error
}

func healthy(good playerstate.Engine) *doctored {
	return &doctored{
		create: good.CreateHunt, endHunt: good.EndHunt, getHunt: good.GetHunt, getPlayer: good.GetPlayer,
		apply: good.ApplyBatch, read: good.ReadRecords, getRecord: good.GetRecord, closing: good.Close,
	}
}

var _ playerstate.Engine = (*doctored)(nil)

func (d *doctored) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	return d.create(ctx, req)
}

func (d *doctored) EndHunt(ctx context.Context, req *pb.EndHuntRequest) (*pb.EndHuntResponse, error) {
	return d.endHunt(ctx, req)
}

func (d *doctored) GetHunt(ctx context.Context, req *pb.GetHuntRequest) (*pb.GetHuntResponse, error) {
	return d.getHunt(ctx, req)
}

func (d *doctored) GetPlayer(ctx context.Context, req *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error) {
	return d.getPlayer(ctx, req)
}

func (d *doctored) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	outcomes, err := d.apply(ctx, []*pb.Command{cmd})
	if err != nil {
		return nil, err
	}
	return outcomes[0], nil
}

func (d *doctored) ApplyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	return d.apply(ctx, cmds)
}

func (d *doctored) ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	return d.read(ctx, req)
}

func (d *doctored) GetRecord(ctx context.Context, req *pb.GetRecordRequest) (*pb.GetRecordResponse, error) {
	return d.getRecord(ctx, req)
}

func (d *doctored) Close(ctx context.Context) error { return d.closing(ctx) }

// asked changes what an engine is asked, answers what it answers, fails what it
// fails with. They leave the caller's message alone.
func asked[Req proto.Message, Resp any](call *func(context.Context, Req) (Resp, error), change func(Req)) {
	good := *call
	*call = func(ctx context.Context, req Req) (Resp, error) {
		changed := proto.CloneOf(req)
		change(changed)
		return good(ctx, changed)
	}
}

func answers[Req, Resp any](call *func(context.Context, Req) (Resp, error), change func(Req, Resp)) {
	good := *call
	*call = func(ctx context.Context, req Req) (Resp, error) {
		resp, err := good(ctx, req)
		if err == nil {
			change(req, resp)
		}
		return resp, err
	}
}

func fails[Req, Resp any](call *func(context.Context, Req) (Resp, error), change func(error) (Resp, error)) {
	good := *call
	*call = func(ctx context.Context, req Req) (Resp, error) {
		resp, err := good(ctx, req)
		if err != nil {
			return change(err)
		}
		return resp, nil
	}
}

// commands changes each command before it is applied, outcomes each after.
func (d *doctored) commands(change func(*pb.Command)) {
	good := d.apply
	d.apply = func(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
		changed := make([]*pb.Command, len(cmds))
		for i, cmd := range cmds {
			changed[i] = proto.CloneOf(cmd)
			change(changed[i])
		}
		return good(ctx, changed)
	}
}

func (d *doctored) outcomes(change func(*pb.Outcome)) {
	answers(&d.apply, func(_ []*pb.Command, outcomes []*pb.Outcome) {
		for _, outcome := range outcomes {
			change(outcome)
		}
	})
}

// wrongs are engines that break one promise each, by the promise.
var wrongs = map[string]func(*doctored){
	"a hunt is shown as it was created": func(d *doctored) {
		answers(&d.getHunt, func(_ *pb.GetHuntRequest, resp *pb.GetHuntResponse) { resp.StartsAtMs++ }) // another clock
	},
	"a repeated CreateHunt gets the same answer": func(d *doctored) {
		answers(&d.create, func(_ *pb.CreateHuntRequest, resp *pb.CreateHuntResponse) { resp.StartsAtMs = time.Now().UnixNano() })
	},
	"many who create one hunt get one answer": func(d *doctored) {
		known, good := sync.Map{}, d.create
		d.create = func(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
			if _, there := known.LoadOrStore(req.GetHuntId(), true); there { // and it is not asked with what settings
				return nil, playerstate.NotApplied(codes.AlreadyExists, "it exists")
			}
			return good(ctx, req)
		}
	},
	"other settings under a known id are ALREADY_EXISTS": func(d *doctored) {
		fails(&d.create, func(error) (*pb.CreateHuntResponse, error) { return &pb.CreateHuntResponse{Epoch: 1}, nil })
	},
	"a malformed request names its field": func(d *doctored) {
		fails(&d.create, func(err error) (*pb.CreateHuntResponse, error) {
			return nil, playerstate.NotApplied(status.Code(err), "bad request")
		})
	},
	"what is not there is NOT_FOUND": func(d *doctored) {
		fails(&d.getPlayer, func(error) (*pb.GetPlayerResponse, error) { return &pb.GetPlayerResponse{}, nil })
	},
	"a command is answered with what it did": func(d *doctored) {
		d.outcomes(func(o *pb.Outcome) { o.Epoch = 0 })
	},
	"a player is shown as they are": func(d *doctored) {
		answers(&d.getPlayer, func(_ *pb.GetPlayerRequest, resp *pb.GetPlayerResponse) { resp.Present = true })
	},
	"a No of the game is a verdict": func(d *doctored) {
		good := d.apply
		d.apply = func(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
			outcomes, err := good(ctx, cmds)
			if err == nil && outcomes[0].GetVerdict() == pb.Verdict_VERDICT_REJECTED {
				return nil, playerstate.NotApplied(codes.FailedPrecondition, "%s", outcomes[0].GetRejection())
			}
			return outcomes, err
		}
	},
	"a malformed command is INVALID by its field": func(d *doctored) {
		d.outcomes(func(o *pb.Outcome) {
			if o.GetRefusal().GetReason() == pb.Refusal_REASON_INVALID {
				o.Refusal.Detail = "malformed"
			}
		})
	},
	"a command for a hunt that is not there is UNKNOWN_HUNT": func(d *doctored) {
		d.outcomes(func(o *pb.Outcome) {
			if o.GetRefusal().GetReason() == pb.Refusal_REASON_UNKNOWN_HUNT {
				o.Refusal.Reason = pb.Refusal_REASON_NOT_ACTIVE
			}
		})
	},
	"a command at another epoch is STALE_EPOCH": func(d *doctored) {
		d.commands(func(c *pb.Command) { c.Epoch = 0 })
	},
	"an expected version is held to": func(d *doctored) {
		d.commands(func(c *pb.Command) { c.ExpectedVersion = 0 })
	},
	"a repeated request is DUPLICATE and changes nothing": forgets,
	"an old request is never applied again":               forgets,
	"one request of many callers is applied once":         forgets,
	"a batch is applied and answered in order": func(d *doctored) {
		good := d.apply
		d.apply = func(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
			backwards := slices.Clone(cmds)
			slices.Reverse(backwards)
			outcomes, err := good(ctx, backwards)
			slices.Reverse(outcomes)
			return outcomes, err
		}
	},
	"a batch of none or too many is refused": func(d *doctored) {
		good := d.apply
		d.apply = func(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
			var all []*pb.Outcome
			for part := range slices.Chunk(cmds, playerstate.MaxBatch) {
				outcomes, err := good(ctx, part)
				if err != nil {
					return nil, err
				}
				all = append(all, outcomes...)
			}
			return all, nil
		}
	},
	"a bad command spoils no neighbour": func(d *doctored) {
		good := d.apply
		d.apply = func(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
			for _, cmd := range cmds {
				if field := playerstate.MalformedField(cmd); field != "" && len(cmds) > 1 {
					return nil, playerstate.Invalid(field, "is malformed")
				}
			}
			return good(ctx, cmds)
		}
	},
	"a message is its caller's before and after": func(d *doctored) {
		var kept sync.Map
		answers(&d.create, func(req *pb.CreateHuntRequest, _ *pb.CreateHuntResponse) {
			kept.LoadOrStore(req.GetHuntId(), req.GetSettings())
		})
		answers(&d.getHunt, func(req *pb.GetHuntRequest, resp *pb.GetHuntResponse) {
			settings, _ := kept.Load(req.GetHuntId())
			resp.Settings = settings.(*pb.HuntSettings)
		})
	},
	"an ended hunt says so, once and for all": func(d *doctored) {
		answers(&d.endHunt, func(_ *pb.EndHuntRequest, resp *pb.EndHuntResponse) { resp.Players-- }) // who left does not count
	},
	"a failure is true about what was applied": func(d *doctored) {
		good := d.apply
		d.apply = func(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
			outcomes, err := good(context.WithoutCancel(ctx), cmds)
			if ctx.Err() != nil {
				return nil, playerstate.NotApplied(codes.Canceled, "too late")
			}
			return outcomes, err
		}
	},
	"a command past its budget changes nothing": func(d *doctored) {
		d.commands(func(c *pb.Command) { c.BudgetMs = 0 })
	},
	"a call without a deadline ends though the engine hangs": func(d *doctored) {
		good := d.getHunt
		d.getHunt = func(ctx context.Context, req *pb.GetHuntRequest) (*pb.GetHuntResponse, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
			defer cancel()
			return good(ctx, req)
		}
	},
	"what callers do at once adds up": func(d *doctored) {
		answers(&d.getHunt, func(_ *pb.GetHuntRequest, resp *pb.GetHuntResponse) {
			for _, standing := range resp.GetTop() {
				standing.Score++
			}
		})
	},
	"a closed engine is UNAVAILABLE": func(d *doctored) {
		d.closing = func(context.Context) error { return nil }
	},

	"every answer is a record, without a gap": func(d *doctored) {
		answers(&d.read, func(_ *pb.ReadRecordsRequest, resp *pb.ReadRecordsResponse) {
			resp.Records = slices.DeleteFunc(resp.Records, func(r *pb.Record) bool { return r.GetSequence() == 5 })
		})
	},
	"a reader goes on where its cursor stands": func(d *doctored) {
		good := d.read
		d.read = func(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
			more := proto.CloneOf(req)
			more.MaxRecords = min(req.GetMaxRecords()+1, playerstate.MaxReadRecords)
			resp, err := good(ctx, more)
			if n := len(resp.GetRecords()); n > int(req.GetMaxRecords()) {
				resp.Records = resp.Records[n-int(req.GetMaxRecords()):]
			}
			return resp, err
		}
	},
	"a reader of one hunt sees that hunt alone": func(d *doctored) {
		asked(&d.read, func(req *pb.ReadRecordsRequest) { req.HuntId = "" })
		good := d.create
		d.create = func(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
			beside := proto.CloneOf(req) // so that there is another hunt to be seen
			beside.HuntId += "-beside"
			if _, err := good(ctx, beside); err != nil {
				return nil, err
			}
			return good(ctx, req)
		}
	},
	"a reader that skips moves misses nothing else": func(d *doctored) {
		asked(&d.read, func(req *pb.ReadRecordsRequest) { req.SkipMoves = false })
	},
	"a page ends at its bytes after one record at least": func(d *doctored) {
		asked(&d.read, func(req *pb.ReadRecordsRequest) { req.MaxBytes = 0 })
	},
	"a reader that waits is woken":            neverWaits,
	"a reader that waits in vain is answered": neverWaits,
	"a cursor of another feed begins anew with a gap": func(d *doctored) {
		answers(&d.read, func(_ *pb.ReadRecordsRequest, resp *pb.ReadRecordsResponse) { resp.Gap = false })
	},
	"a record is found by its place": func(d *doctored) {
		asked(&d.getRecord, func(req *pb.GetRecordRequest) { req.Sequence = max(req.Sequence-1, 1) })
	},
	"the end is a record, once": func(d *doctored) {
		answers(&d.read, func(_ *pb.ReadRecordsRequest, resp *pb.ReadRecordsResponse) {
			for _, record := range resp.GetRecords() {
				if record.GetEnded() != nil {
					record.GetEnded().Players = 0
				}
			}
		})
	},
	"a malformed read names its field": func(d *doctored) {
		fails(&d.getRecord, func(error) (*pb.GetRecordResponse, error) { return nil, errors.New("bad request") })
	},
}

// forgets is an engine that remembers no requests: each is a new one to it.
func forgets(d *doctored) {
	fresh, good := playerstate.NewRequestIDs(), d.apply
	d.apply = func(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
		renamed := make([]*pb.Command, len(cmds))
		for i, cmd := range cmds {
			renamed[i] = proto.CloneOf(cmd)
			renamed[i].RequestId = fresh.Next()
		}
		outcomes, err := good(ctx, renamed)
		for i, outcome := range outcomes {
			outcome.RequestId = cmds[i].GetRequestId()
		}
		return outcomes, err
	}
}

func neverWaits(d *doctored) {
	asked(&d.read, func(req *pb.ReadRecordsRequest) { req.WaitMs = 0 })
}
