package router

import (
	"context"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
)

// method is a call of the seam, as the metrics name it.
type method string

const (
	methodCreateHunt  method = "CreateHunt"
	methodEndHunt     method = "EndHunt"
	methodGetHunt     method = "GetHunt"
	methodGetPlayer   method = "GetPlayer"
	methodApply       method = "Apply"
	methodApplyBatch  method = "ApplyBatch"
	methodReadRecords method = "ReadRecords"
	methodGetRecord   method = "GetRecord"
	methodHello       method = "Hello"
	methodListHunts   method = "ListHunts"
	methodProbe       method = "Probe"
	methodActivate    method = "Activate"
)

var methods = []method{
	methodCreateHunt, methodEndHunt, methodGetHunt, methodGetPlayer,
	methodApply, methodApplyBatch, methodReadRecords, methodGetRecord,
	methodHello, methodListHunts, methodProbe, methodActivate,
}

// engine is one of the two, with what the router sees of its calls.
type engine struct {
	owner     ledger.Owner
	commander playerstate.Commander
	feeder    playerstate.Feeder // nil: it has no feed
	mover     playerstate.Mover  // nil: it does not pass hunts on
	metrics   *engineMetrics
	breaker   *breaker // nil: nothing hangs on how its calls go
}

// measure makes one call of e, and lets the metrics and the breaker see how it
// went: its time is the caller's, waiting in the client's queue included.
func measure[Req, Resp any](ctx context.Context, e *engine, m method,
	call func(context.Context, Req) (Resp, error), req Req,
) (Resp, error) {
	began := time.Now()
	resp, err := call(ctx, req)
	took := time.Since(began)
	e.metrics.called(m, took, err)
	if e.breaker != nil {
		e.breaker.observe(m, took, err)
	}
	return resp, err
}

func (e *engine) createHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	return measure(ctx, e, methodCreateHunt, e.commander.CreateHunt, req)
}

func (e *engine) endHunt(ctx context.Context, req *pb.EndHuntRequest) (*pb.EndHuntResponse, error) {
	return measure(ctx, e, methodEndHunt, e.commander.EndHunt, req)
}

func (e *engine) getHunt(ctx context.Context, req *pb.GetHuntRequest) (*pb.GetHuntResponse, error) {
	return measure(ctx, e, methodGetHunt, e.commander.GetHunt, req)
}

func (e *engine) getPlayer(ctx context.Context, req *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error) {
	return measure(ctx, e, methodGetPlayer, e.commander.GetPlayer, req)
}

func (e *engine) apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	outcome, err := measure(ctx, e, methodApply, e.commander.Apply, cmd)
	e.metrics.answered(outcome)
	return outcome, err
}

func (e *engine) applyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	outcomes, err := measure(ctx, e, methodApplyBatch, e.commander.ApplyBatch, cmds)
	unknown := false
	for _, outcome := range outcomes {
		e.metrics.answered(outcome)
		unknown = unknown || outcome.GetVerdict() == pb.Verdict_VERDICT_UNKNOWN
	}
	if unknown && e.breaker != nil { // a part of the batch failed
		e.breaker.failedInPart()
	}
	return outcomes, err
}

func (e *engine) readRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	return measure(ctx, e, methodReadRecords, e.feeder.ReadRecords, req)
}

func (e *engine) getRecord(ctx context.Context, req *pb.GetRecordRequest) (*pb.GetRecordResponse, error) {
	return measure(ctx, e, methodGetRecord, e.feeder.GetRecord, req)
}

func (e *engine) hello(ctx context.Context, req *pb.HelloRequest) (*pb.HelloResponse, error) {
	return measure(ctx, e, methodHello, e.mover.Hello, req)
}

func (e *engine) listHunts(ctx context.Context, req *pb.ListHuntsRequest) (*pb.ListHuntsResponse, error) {
	return measure(ctx, e, methodListHunts, e.mover.ListHunts, req)
}

func (e *engine) probe(ctx context.Context, req *pb.ProbeRequest) (*pb.ProbeResponse, error) {
	return measure(ctx, e, methodProbe, e.mover.Probe, req)
}

func (e *engine) activate(ctx context.Context, req *pb.ActivateRequest) (*pb.ActivateResponse, error) {
	return measure(ctx, e, methodActivate, e.mover.Activate, req)
}
