package loader

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/crowd"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy"
	"treasurehunt.example/go-compat/router"
	"treasurehunt.example/go-compat/sidecar"
)

// Client is how the load reaches the server.
type Client string

// The clients.
const (
	// Batching is sidecar.Client, as services use it.
	Batching Client = "batching"
	// Unary is grpc-go's stub: a call a command, with nothing added.
	Unary Client = "unary"
	// Redis is rueidis with the rules in Lua.
	Redis Client = "redis"
	// Raw is a socket with a length before each message.
	Raw Client = "raw"
	// InProcess is the Go engine in the load process.
	InProcess Client = "in-process"
	// Shard is a router over the Go engine in the load process and the sidecar.
	Shard Client = "shard"
	// Vegeta is the load generator of that name. It has a client of its own.
	Vegeta Client = "vegeta"
	// Nobody is a function that answers at once: the load's own cost.
	Nobody Client = "nobody"
)

// connection is a client that is connected.
type connection struct {
	engine crowd.Engine
	hangUp func()
}

func (j Job) connect() (connection, error) {
	switch j.Client {
	case Batching, Vegeta: // who joins through batches
		return j.batching()
	case Unary:
		return j.unary()
	case Redis:
		return j.redis()
	case Raw:
		return j.raw()
	case InProcess:
		config := legacy.Config{Claim: legacy.ClaimAuto}
		if j.Weighed {
			config.Limits.FeedRecords = 1
		}
		engine := legacy.New(config)
		return connection{engine, func() { _ = engine.Close(context.Background()) }}, nil
	case Shard:
		return j.shard()
	case Nobody:
		return connection{nobody{}, func() {}}, nil
	}
	return connection{}, fmt.Errorf("there is no client %q", j.Client)
}

// sitDown lets everybody join: callers of single calls through batches all the same, to
// save time, and those of a bare socket nowhere, since nothing behind it asks who they are.
func (j Job) sitDown(ctx context.Context, players *crowd.Crowd, connection connection) error {
	switch j.Client {
	case Batching, InProcess, Redis, Vegeta, Nobody:
		return players.SitDown(ctx, connection.engine)
	case Raw:
		return players.SitDown(ctx, nobody{})
	case Shard:
		return j.sitDownInShard(ctx, players, connection.engine.(*router.Router))
	case Unary:
	}
	joining, err := j.batching()
	if err != nil {
		return err
	}
	defer joining.hangUp()
	return players.SitDown(ctx, joining.engine)
}

func (j Job) batching() (connection, error) {
	client, err := sidecar.Dial(sidecar.Config{Target: "unix:" + j.Socket})
	if err != nil {
		return connection{}, err
	}
	return connection{client, func() { _ = client.Close(context.Background()) }}, nil
}

// spread gives each command to one of several engines, so that a caller's commands
// all go to the same: caller's players are so many apart.
type spread []crowd.Engine

func (s spread) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	return s[0].CreateHunt(ctx, req)
}

func (s spread) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	return s[(cmd.GetPlayerId()-1)%uint64(len(s))].Apply(ctx, cmd)
}

// dialEach makes so many engines. What hangs up an engine hangs up all of them.
func dialEach(count int, dial func() (connection, error)) (connection, error) {
	var engines spread
	var hangUps []func()
	hangUp := func() {
		for _, each := range hangUps {
			each()
		}
	}
	for range count {
		one, err := dial()
		if err != nil {
			hangUp()
			return connection{}, err
		}
		engines, hangUps = append(engines, one.engine), append(hangUps, one.hangUp)
	}
	return connection{engines, hangUp}, nil
}

// callersAConnection of grpc-go's stub. Of 1, 2, 4 and 16 connections for 128 callers
// none was the best with every server, and 16 cost the Go engine a fifth more.
const callersAConnection = 64

// Windows as those of sidecar.Client.
const (
	streamWindowBytes     = 1 << 20
	connectionWindowBytes = 8 << 20
)

func (j Job) unary() (connection, error) {
	return dialEach(max(j.Callers/callersAConnection, 1), func() (connection, error) {
		conn, err := grpc.NewClient("unix:"+j.Socket,
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
			grpc.WithStaticStreamWindowSize(streamWindowBytes), grpc.WithStaticConnWindowSize(connectionWindowBytes))
		if err != nil {
			return connection{}, err
		}
		return connection{stub{pb.NewPlayerStateServiceClient(conn)}, func() { _ = conn.Close() }}, nil
	})
}

// stub is the generated client.
type stub struct{ client pb.PlayerStateServiceClient }

func (s stub) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	return s.client.CreateHunt(ctx, req)
}

func (s stub) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	response, err := s.client.Apply(ctx, &pb.ApplyRequest{Command: cmd})
	return response.GetOutcome(), err
}

// RedisConnections is over how many connections the callers of Redis spread, each of
// which pipelines what its callers have.
const RedisConnections = 50

func (j Job) redis() (connection, error) {
	return dialEach(RedisConnections, func() (connection, error) {
		engine, hangUp, err := arm.DialRedis(j.Socket, -1, 0)
		return connection{engine, hangUp}, err
	})
}

// raw has a connection a caller, since the server answers each in turn.
func (j Job) raw() (connection, error) {
	return dialEach(j.Callers, func() (connection, error) {
		conn, err := net.Dial("unix", j.Socket)
		if err != nil {
			return connection{}, err
		}
		return connection{&socket{conn: conn, buffer: make([]byte, roomBytes)}, func() { _ = conn.Close() }}, nil
	})
}

// socket asks and is answered, four bytes of length before each. Not safe for
// concurrent use.
type socket struct {
	conn   net.Conn
	buffer []byte // of roomBytes
}

const (
	lengthBytes = 4
	roomBytes   = 4096 // far more than a command or an outcome
)

func (s *socket) CreateHunt(context.Context, *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	return &pb.CreateHuntResponse{}, nil
}

func (s *socket) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	deadline, _ := ctx.Deadline()
	if err := s.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	message, err := proto.MarshalOptions{}.MarshalAppend(s.buffer[:lengthBytes], cmd)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(message, uint32(len(message)-lengthBytes))
	if _, err := s.conn.Write(message); err != nil {
		return nil, err
	}
	answer, err := s.read()
	if err != nil {
		return nil, err
	}
	outcome := new(pb.Outcome)
	return outcome, proto.Unmarshal(answer, outcome)
}

// read reads an answer, mostly all of it at once.
func (s *socket) read() ([]byte, error) {
	got, err := io.ReadAtLeast(s.conn, s.buffer, lengthBytes)
	if err != nil {
		return nil, err
	}
	end := lengthBytes + int(binary.BigEndian.Uint32(s.buffer))
	if end > len(s.buffer) || got > end {
		return nil, errors.New("the answer is longer than an outcome can be")
	}
	_, err = io.ReadFull(s.conn, s.buffer[got:end])
	return s.buffer[lengthBytes:end], err
}

// nobody answers at once, and always the same.
type nobody struct{}

var anAnswer = &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED, Player: &pb.PlayerSummary{X: crowd.Side / 2, Y: crowd.Side / 2}}

func (nobody) CreateHunt(context.Context, *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	return &pb.CreateHuntResponse{}, nil
}

func (nobody) Apply(context.Context, *pb.Command) (*pb.Outcome, error) { return anAnswer, nil }
