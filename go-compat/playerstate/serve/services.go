package serve

import (
	"context"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// commands is PlayerStateService over a Commander.
type commands struct {
	pb.UnimplementedPlayerStateServiceServer
	commander playerstate.Commander
}

func (s *commands) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	if f := playerstate.CheckCreateHunt(req); f != nil {
		return nil, f
	}
	return s.commander.CreateHunt(ctx, req)
}

func (s *commands) EndHunt(ctx context.Context, req *pb.EndHuntRequest) (*pb.EndHuntResponse, error) {
	if f := playerstate.CheckHuntID(req.GetHuntId()); f != nil {
		return nil, f
	}
	return s.commander.EndHunt(ctx, req)
}

func (s *commands) GetHunt(ctx context.Context, req *pb.GetHuntRequest) (*pb.GetHuntResponse, error) {
	if f := playerstate.CheckGetHunt(req); f != nil {
		return nil, f
	}
	return s.commander.GetHunt(ctx, req)
}

func (s *commands) GetPlayer(ctx context.Context, req *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error) {
	if f := playerstate.CheckGetPlayer(req); f != nil {
		return nil, f
	}
	return s.commander.GetPlayer(ctx, req)
}

// Apply checks nothing: a command that is malformed has an outcome, which the
// engine gives. So has one that is missing, which on the wire is one of defaults.
func (s *commands) Apply(ctx context.Context, req *pb.ApplyRequest) (*pb.ApplyResponse, error) {
	cmd := req.GetCommand()
	if cmd == nil {
		cmd = &pb.Command{}
	}
	outcome, err := s.commander.Apply(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return &pb.ApplyResponse{Outcome: outcome}, nil
}

func (s *commands) ApplyBatch(ctx context.Context, req *pb.ApplyBatchRequest) (*pb.ApplyBatchResponse, error) {
	if f := playerstate.CheckBatch(len(req.GetCommands())); f != nil {
		return nil, f
	}
	outcomes, err := s.commander.ApplyBatch(ctx, req.GetCommands())
	if err != nil {
		return nil, err
	}
	fit(outcomes, replyRoom)
	return &pb.ApplyBatchResponse{Outcomes: outcomes}, nil
}

// ownership is OwnershipService over a Mover. What a Mover has not got yet is
// UNIMPLEMENTED.
type ownership struct {
	pb.UnimplementedOwnershipServiceServer
	mover playerstate.Mover
}

func (s *ownership) Hello(ctx context.Context, req *pb.HelloRequest) (*pb.HelloResponse, error) {
	if f := playerstate.CheckFence(req.GetFence()); f != nil {
		return nil, f
	}
	return s.mover.Hello(ctx, req)
}

func (s *ownership) ListHunts(ctx context.Context, req *pb.ListHuntsRequest) (*pb.ListHuntsResponse, error) {
	if f := playerstate.CheckListHunts(req); f != nil {
		return nil, f
	}
	return s.mover.ListHunts(ctx, req)
}

func (s *ownership) Probe(ctx context.Context, req *pb.ProbeRequest) (*pb.ProbeResponse, error) {
	return s.mover.Probe(ctx, req)
}

func (s *ownership) Activate(ctx context.Context, req *pb.ActivateRequest) (*pb.ActivateResponse, error) {
	if f := playerstate.CheckActivate(req); f != nil {
		return nil, f
	}
	return s.mover.Activate(ctx, req)
}

// feed is EventFeedService over a Feeder.
type feed struct {
	pb.UnimplementedEventFeedServiceServer
	feeder   playerstate.Feeder
	draining context.Context
}

func (s *feed) ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	if f := playerstate.CheckReadRecords(req); f != nil {
		return nil, f
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.draining, cancel)()
	reply, err := s.feeder.ReadRecords(ctx, req)
	if err != nil && s.draining.Err() != nil {
		return nil, playerstate.NotApplied(codes.Unavailable, "this server is shutting down; read on from the same cursor elsewhere, or later")
	}
	return reply, err
}

func (s *feed) GetRecord(ctx context.Context, req *pb.GetRecordRequest) (*pb.GetRecordResponse, error) {
	if f := playerstate.CheckGetRecord(req); f != nil {
		return nil, f
	}
	return s.feeder.GetRecord(ctx, req)
}
