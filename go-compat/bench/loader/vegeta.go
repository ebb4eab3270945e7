package loader

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
	"google.golang.org/protobuf/proto"

	"treasurehunt.example/go-compat/bench/crowd"
	"treasurehunt.example/go-compat/bench/load"
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// frameHeader of gRPC is a flag of compression and four bytes of length.
const frameHeader = 1 + 4

// attack lets vegeta post gRPC frames over HTTP/2, a call a command. It knows nothing
// of gRPC: an answer is one that holds an outcome.
func (s *session) attack(ctx context.Context, turn Turn) (Result, error) {
	for range s.hits(ctx, turn.PerSecond, turn.WarmUp) {
		continue
	}
	measured := borders{serverPID: s.ServerPID}
	measured.note()
	counted := load.ClosedResult{Seconds: turn.Length.Seconds()}
	var latencies []time.Duration
	for hit := range s.hits(ctx, turn.PerSecond, turn.Length) {
		kind, err := answerOf(hit)
		counted.Count(kind, err)
		if err == nil {
			latencies = append(latencies, hit.Latency)
		}
	}
	measured.note()
	result, err := measured.between()
	result.ClosedResult = counted
	result.Open = &load.OpenResult{Tally: counted.Tally, PerSecond: turn.PerSecond, Seconds: counted.Seconds, Latency: load.SpreadOf(latencies)}
	return result, errors.Join(err, ctx.Err())
}

// hits are the results of one attack. An attacker attacks only once.
func (s *session) hits(ctx context.Context, perSecond float64, length time.Duration) <-chan *vegeta.Result {
	attacker := vegeta.NewAttacker(vegeta.UnixSocket(s.Socket), vegeta.H2C(true), vegeta.Timeout(vegetaTimeout))
	context.AfterFunc(ctx, func() { attacker.Stop() })
	return attacker.Attack(s.targets(), vegeta.Rate{Freq: int(perSecond), Per: time.Second}, length, "")
}

// vegetaTimeout is the deadline of a call, which the header tells the server.
const vegetaTimeout = 2 * time.Second

// targets are the commands of all players in turn. Safe for concurrent use.
func (s *session) targets() vegeta.Targeter {
	var mu sync.Mutex // guards the commands; held over no call
	header := http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "Grpc-Timeout": {"2S"}}
	return func(target *vegeta.Target) error {
		mu.Lock()
		defer mu.Unlock()
		frame, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, frameHeader), &pb.ApplyRequest{Command: s.commands()})
		if err != nil {
			return err
		}
		binary.BigEndian.PutUint32(frame[1:], uint32(len(frame)-frameHeader))
		target.Method, target.URL = http.MethodPost, "http://localhost"+pb.PlayerStateService_Apply_FullMethodName
		target.Header, target.Body = header, frame
		return nil
	}
}

// answerOf reads the frame that came back.
func answerOf(hit *vegeta.Result) (load.Kind, error) {
	if hit.Error != "" {
		return load.Rejected, errors.New(hit.Error)
	}
	if len(hit.Body) < frameHeader {
		return load.Rejected, fmt.Errorf("HTTP status %d, gRPC status %q, and no message", hit.Code, hit.Headers.Get("Grpc-Status"))
	}
	var response pb.ApplyResponse
	if err := proto.Unmarshal(hit.Body[frameHeader:], &response); err != nil {
		return load.Rejected, err
	}
	return crowd.KindOf(response.GetOutcome())
}
