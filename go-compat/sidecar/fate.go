package sidecar

import (
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/sidecar/internal/onecall"
)

// failureOf tells what is known of a call by grpc-go that err ended. A call that never
// had a peer never left this process.
func failureOf(err error, p *peer.Peer) *playerstate.Failure {
	said, sent := status.Convert(err), p.Addr != nil
	isAway := said.Code() == codes.Unavailable && (!sent || transportSays(said.Message()))
	return failure(said, sent, isAway)
}

// failureOfCall tells the same of a lane's call.
func failureOfCall(e *onecall.Error) *playerstate.Failure { return failure(e.Status, e.Sent, e.Away) }

func failure(said *status.Status, sent, isAway bool) *playerstate.Failure {
	fate := playerstate.FateUnknown
	if !sent || refusedWhole(said) {
		fate = playerstate.FateNotApplied
	}
	if isAway {
		return away(fate).WithCause(said.Err())
	}
	return playerstate.FromStatus(fate, said.Err())
}

// transportSays tells grpc-go's own texts from a server's. One that it does not know
// is passed on as it is, which hides nothing.
func transportSays(text string) bool {
	for _, beginning := range []string{"error reading from server: ", "connection error: ", "closing transport", "transport: "} {
		if strings.HasPrefix(text, beginning) {
			return true
		}
	}
	return false
}

// away is what callers read of a connection that is not there or was lost. The
// transport's own words, socket path and all, are for the log.
func away(fate playerstate.Fate) *playerstate.Failure {
	if fate == playerstate.FateNotApplied {
		return playerstate.NotApplied(codes.Unavailable, "the sidecar is away; nothing of this call was applied, send it again a little later")
	}
	return playerstate.Unknown(codes.Unavailable,
		"the sidecar was lost while the call was under way, so it may have been applied; send it again, a command under the same request_id")
}

// refusedWhole says that the server itself refused the call before it changed
// anything. Codes that the transport makes up as well (UNAVAILABLE,
// RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, …) prove nothing, but with a RetryInfo:
// only the server adds that, to what it sheds.
func refusedWhole(s *status.Status) bool {
	switch s.Code() {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.NotFound, codes.AlreadyExists,
		codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented:
		return true
	default: // grpc's codes, not ours
	}
	return playerstate.RetryInfoOf(s) != nil
}
