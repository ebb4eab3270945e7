package arm

import (
	"context"
	"crypto/tls"
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"time"

	"github.com/redis/rueidis"
	"google.golang.org/protobuf/proto"

	"treasurehunt.example/go-compat/bench/crowd"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// Redis is Debian's redis-server, which syncs its log before it answers, with the
// same operation in Lua.
type Redis struct {
	// Connections is how many the client spreads its commands over, as a power of
	// two. It pipelines what gathers on each by itself.
	Connections int
	// FlushDelay is how long the client waits for more commands before it sends.
	FlushDelay time.Duration
}

// Name implements [Arm].
func (Redis) Name() string { return "redis" }

// Version implements [Arm].
func (Redis) Version() (string, error) {
	path, err := redisServer()
	if err != nil {
		return "", err
	}
	return versionOf(path)
}

func redisServer() (string, error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", fmt.Errorf("%w: scripts/install-redis installs Debian's, as root", err)
	}
	return path, nil
}

// Start implements [Arm].
func (r Redis) Start(ctx context.Context, dir string) (*Running, error) {
	server, err := RedisServer("--appendonly", "yes", "--appendfsync", "always").Start(ctx, dir, AnyCore)
	if err != nil {
		return nil, err
	}
	engine, hangUp, err := DialRedis(server.Socket, r.Connections, r.FlushDelay)
	if err != nil {
		return nil, errors.Join(err, server.process.Kill())
	}
	return &Running{
		Engine: engine, Data: server.Data, process: server.process,
		close: func(context.Context) error { hangUp(); return nil },
	}, nil
}

// DialRedis makes a client of as many connections as a power of two says: 0 takes
// rueidis' own choice, and -1 a single one. It pipelines what gathers on each.
func DialRedis(socket string, connections int, flushDelay time.Duration) (engine crowd.Engine, hangUp func(), err error) {
	dial := func(ctx context.Context, _ string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", socket)
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{socket}, DialCtxFn: dial, ForceSingleClient: true, DisableCache: true, DisableRetry: true,
		AlwaysPipelining: true, PipelineMultiplex: connections, MaxFlushDelay: flushDelay,
	})
	if err != nil {
		return nil, nil, err
	}
	return &redisEngine{client: client}, client.Close, nil
}

//go:embed apply.lua
var applyText string

var apply = rueidis.NewLuaScript(applyText)

// redisEngine is the rules in Redis, as far as a crowd needs them.
type redisEngine struct{ client rueidis.Client }

// CreateHunt makes a hunt with its treasures.
func (e *redisEngine) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	settings := req.GetSettings()
	ends := time.Now().Add(time.Duration(settings.GetDurationMs()) * time.Millisecond).UnixMilli()
	hunt := e.client.B().Hset().Key(huntKey(req.GetHuntId())).FieldValue().
		FieldValue("width", fmt.Sprint(settings.GetWidth())).FieldValue("height", fmt.Sprint(settings.GetHeight())).
		FieldValue("ends", fmt.Sprint(ends)).Build()
	if err := e.client.Do(ctx, hunt).Error(); err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(settings.GetSeed(), 0))
	treasures := e.client.B().Hset().Key(treasuresKey(req.GetHuntId())).FieldValue()
	for _, cell := range random.Perm(int(settings.GetWidth() * settings.GetHeight()))[:settings.GetTreasures()] {
		treasures = treasures.FieldValue(strconv.Itoa(cell), strconv.Itoa(10*(1+random.IntN(10))))
	}
	if err := e.client.Do(ctx, treasures.Build()).Error(); err != nil {
		return nil, err
	}
	return &pb.CreateHuntResponse{}, nil
}

func huntKey(id string) string      { return "h:" + id }
func treasuresKey(id string) string { return "t:" + id }

// Apply runs the script. The record keeps the command as the sidecar's does.
func (e *redisEngine) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	encoded, err := proto.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	action, x, y := "", uint32(0), uint32(0)
	switch a := cmd.GetAction().(type) {
	case *pb.Command_Join:
		action, x, y = "join", rand.Uint32N(crowd.Side), rand.Uint32N(crowd.Side)
	case *pb.Command_Move:
		action, x, y = "move", a.Move.GetX(), a.Move.GetY()
	case *pb.Command_Dig:
		action = "dig"
	default:
		return nil, fmt.Errorf("the script knows Join, Move and Dig, and not %T", a)
	}
	hunt := cmd.GetHuntId()
	keys := []string{"p:" + strconv.FormatUint(cmd.GetPlayerId(), 10), huntKey(hunt), treasuresKey(hunt), "r:" + hunt}
	answer, err := apply.Exec(ctx, e.client, keys, []string{
		strconv.FormatUint(cmd.GetRequestId(), 10), action, strconv.Itoa(int(x)), strconv.Itoa(int(y)), rueidis.BinaryString(encoded),
	}).AsIntSlice()
	if err != nil {
		return nil, err
	}
	return outcomeOf(cmd, answer)
}

// outcomeOf reads what the script answers: verdict, reason, sequence, x, y, score, version.
func outcomeOf(cmd *pb.Command, answer []int64) (*pb.Outcome, error) {
	if len(answer) != 7 {
		return nil, fmt.Errorf("the script answered %d numbers", len(answer))
	}
	outcome := &pb.Outcome{RequestId: cmd.GetRequestId(), Verdict: pb.Verdict(answer[0]), Sequence: uint64(answer[2])}
	switch outcome.Verdict {
	case pb.Verdict_VERDICT_REFUSED:
		return playerstate.Refused(cmd.GetRequestId(), &pb.Refusal{Reason: pb.Refusal_Reason(answer[1])}), nil
	case pb.Verdict_VERDICT_REJECTED:
		outcome.Rejection = pb.Rejection(answer[1])
	}
	outcome.Player = &pb.PlayerSummary{X: uint32(answer[3]), Y: uint32(answer[4]), Score: uint64(answer[5]), Version: uint32(answer[6])}
	return outcome, nil
}
