package serve

import (
	"context"
	"errors"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// retryLater is when a call may be sent again that found the server at its limit.
const retryLater = 50 * time.Millisecond

// pushbackKey is the trailer that grpc's own retries obey.
const pushbackKey = "grpc-retry-pushback-ms"

// pushback says to grpc's own retries what a RetryInfo says to programs.
func pushback(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	reply, err := next(ctx, req)
	if err == nil {
		return reply, nil
	}
	if info := playerstate.RetryInfoOf(status.Convert(err)); info != nil {
		wait := strconv.FormatInt(info.GetRetryDelay().AsDuration().Milliseconds(), 10)
		_ = grpc.SetTrailer(ctx, metadata.Pairs(pushbackKey, wait)) // fails only outside of a call
	}
	return nil, err
}

// inFlight refuses calls over a bound. It never makes one wait: a queue here
// would eat the deadline of calls that could still go elsewhere.
func inFlight(most int64) grpc.UnaryServerInterceptor {
	var now atomic.Int64
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		defer now.Add(-1)
		if n := now.Add(1); n > most {
			return nil, playerstate.RetryLater(codes.ResourceExhausted, retryLater,
				"this server is at its limit of %d calls in flight; try again later (see rpc_server_call_duration_seconds)", most)
		}
		return next(ctx, req)
	}
}

// outside lets a Failure, a status and the end of a context through, and turns
// any other error into INTERNAL: its text is for the log, not for callers.
func (s *Server) outside(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	reply, err := next(ctx, req)
	if err == nil {
		return reply, nil
	}
	if _, ok := status.FromError(err); ok {
		return nil, err
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil, status.FromContextError(err).Err()
	}
	s.log.ErrorContext(ctx, "a call failed", "method", info.FullMethod, "error", err)
	return nil, status.Error(codes.Internal, "the engine failed inside; its log says why")
}

// recoverPanics makes a panic fail its own call only.
func (s *Server) recoverPanics(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (reply any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.ErrorContext(ctx, "a call panicked", "method", info.FullMethod, "panic", cause, "stack", string(debug.Stack()))
			reply, err = nil, status.Error(codes.Internal, "the engine failed inside; its log says why")
		}
	}()
	return next(ctx, req)
}

// deadlines refuses a call of our services that has no deadline, and ends each
// at the server's own cap. Health and reflection need none.
func deadlines(limits Limits) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		most, ours := callTime(limits, info.FullMethod)
		if !ours {
			return next(ctx, req)
		}
		if _, ok := ctx.Deadline(); !ok {
			return nil, playerstate.NotApplied(codes.InvalidArgument,
				"the call carries no deadline: set one, at most %s, as context.WithTimeout(ctx, 250*time.Millisecond) in Go or "+
					"the deadline or timeout of the call elsewhere; on the wire it is the header grpc-timeout", most)
		}
		ctx, cancel := context.WithTimeout(ctx, most)
		defer cancel()
		return next(ctx, req)
	}
}

func callTime(limits Limits, method string) (most time.Duration, ours bool) {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	switch service {
	case pb.PlayerStateService_ServiceDesc.ServiceName, pb.OwnershipService_ServiceDesc.ServiceName:
		return limits.CallTime, true
	case pb.EventFeedService_ServiceDesc.ServiceName:
		return limits.FeedTime, true
	}
	return 0, false
}
