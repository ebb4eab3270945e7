package sidecar

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// CreateHunt implements [playerstate.Commander].
func (c *Client) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	if failure := playerstate.CheckCreateHunt(req); failure != nil {
		return nil, failure
	}
	ctx, cancel := bounded(ctx, 0, callTimeMax)
	defer cancel()
	return unary(ctx, c.calls, c.commands.CreateHunt, req)
}

// EndHunt implements [playerstate.Commander].
func (c *Client) EndHunt(ctx context.Context, req *pb.EndHuntRequest) (*pb.EndHuntResponse, error) {
	if failure := playerstate.CheckHuntID(req.GetHuntId()); failure != nil {
		return nil, failure
	}
	ctx, cancel := bounded(ctx, 0, callTimeMax)
	defer cancel()
	return unary(ctx, c.calls, c.commands.EndHunt, req)
}

// GetHunt implements [playerstate.Commander].
func (c *Client) GetHunt(ctx context.Context, req *pb.GetHuntRequest) (*pb.GetHuntResponse, error) {
	if failure := playerstate.CheckGetHunt(req); failure != nil {
		return nil, failure
	}
	ctx, cancel := bounded(ctx, 0, callTimeMax)
	defer cancel()
	return unary(ctx, c.calls, c.commands.GetHunt, req)
}

// GetPlayer implements [playerstate.Commander].
func (c *Client) GetPlayer(ctx context.Context, req *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error) {
	if failure := playerstate.CheckGetPlayer(req); failure != nil {
		return nil, failure
	}
	ctx, cancel := bounded(ctx, 0, callTimeMax)
	defer cancel()
	return unary(ctx, c.calls, c.commands.GetPlayer, req)
}

// ReadRecords implements [playerstate.Feeder]. Without a deadline it gets its
// wait_ms and [playerstate.DefaultTimeout].
func (c *Client) ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	if failure := playerstate.CheckReadRecords(req); failure != nil {
		return nil, failure
	}
	ctx, cancel := bounded(ctx, time.Duration(req.GetWaitMs())*time.Millisecond, feedTimeMax)
	defer cancel()
	return unary(ctx, c.feedCalls, c.feed.ReadRecords, req)
}

// GetRecord implements [playerstate.Feeder].
func (c *Client) GetRecord(ctx context.Context, req *pb.GetRecordRequest) (*pb.GetRecordResponse, error) {
	if failure := playerstate.CheckGetRecord(req); failure != nil {
		return nil, failure
	}
	ctx, cancel := bounded(ctx, 0, feedTimeMax)
	defer cancel()
	return unary(ctx, c.feedCalls, c.feed.GetRecord, req)
}

// Hello implements [playerstate.Mover].
func (c *Client) Hello(ctx context.Context, req *pb.HelloRequest) (*pb.HelloResponse, error) {
	ctx, cancel := bounded(ctx, 0, callTimeMax)
	defer cancel()
	return unary(ctx, c.calls, c.ownership.Hello, req)
}

// ListHunts implements [playerstate.Mover].
func (c *Client) ListHunts(ctx context.Context, req *pb.ListHuntsRequest) (*pb.ListHuntsResponse, error) {
	if failure := playerstate.CheckListHunts(req); failure != nil {
		return nil, failure
	}
	ctx, cancel := bounded(ctx, 0, callTimeMax)
	defer cancel()
	return unary(ctx, c.calls, c.ownership.ListHunts, req)
}

// Probe implements [playerstate.Mover].
func (c *Client) Probe(ctx context.Context, req *pb.ProbeRequest) (*pb.ProbeResponse, error) {
	ctx, cancel := bounded(ctx, 0, callTimeMax)
	defer cancel()
	return unary(ctx, c.calls, c.ownership.Probe, req)
}

// Activate implements [playerstate.Mover].
func (c *Client) Activate(ctx context.Context, req *pb.ActivateRequest) (*pb.ActivateResponse, error) {
	if failure := playerstate.CheckActivate(req); failure != nil {
		return nil, failure
	}
	ctx, cancel := bounded(ctx, 0, callTimeMax)
	defer cancel()
	return unary(ctx, c.calls, c.ownership.Activate, req)
}

// unary makes one call through g. Of a call that failed, only what surely never
// reached the sidecar, or what it refused whole, is said to be not applied.
func unary[Req, Resp any](ctx context.Context, g *gate,
	method func(context.Context, *Req, ...grpc.CallOption) (*Resp, error), req *Req,
) (*Resp, error) {
	if failure := g.enter(); failure != nil {
		return nil, failure
	}
	defer g.leave()
	var server peer.Peer
	reply, err := method(ctx, req, grpc.Peer(&server))
	if err != nil {
		return nil, failureOf(err, &server)
	}
	return reply, nil
}
