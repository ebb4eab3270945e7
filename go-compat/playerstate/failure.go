package playerstate

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// Fate is what a failed call is known to have done.
type Fate uint8

const (
	// FateUnknown says that the command may have been applied. Ask again under
	// the same request_id: it is never applied twice.
	FateUnknown Fate = iota
	// FateNotApplied says that the command was surely not applied.
	FateNotApplied
)

func (f Fate) String() string {
	if f == FateNotApplied {
		return "not applied"
	}
	return "unknown"
}

// Failure is the error of every call on the seam. It carries the gRPC status
// that goes on the wire, so that status.FromError and status.Code work on it.
type Failure struct {
	Fate   Fate
	status *status.Status
	cause  error
}

// NotApplied is a failure that surely changed nothing.
func NotApplied(code codes.Code, format string, args ...any) *Failure {
	return &Failure{Fate: FateNotApplied, status: status.Newf(code, format, args...)}
}

// Unknown is a failure after which the command may have been applied.
func Unknown(code codes.Code, format string, args ...any) *Failure {
	return &Failure{Fate: FateUnknown, status: status.Newf(code, format, args...)}
}

// RetryLater is a failure of a call that was shed before anything of it was done,
// with a google.rpc.RetryInfo that says when to send it again. The detail is also
// the proof: no transport adds one.
func RetryLater(code codes.Code, wait time.Duration, format string, args ...any) *Failure {
	plain := status.Newf(code, format, args...)
	detailed, err := plain.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	if err != nil { // the code and the text alone say it
		detailed = plain
	}
	return &Failure{Fate: FateNotApplied, status: detailed}
}

// RefusedFor is a call that was refused because of who owns the hunt, or because
// nobody does: codes.FailedPrecondition, with refusal among the details.
func RefusedFor(refusal *pb.Refusal, format string, args ...any) *Failure {
	plain := status.Newf(codes.FailedPrecondition, format, args...)
	detailed, err := plain.WithDetails(refusal)
	if err != nil { // the text alone says it
		detailed = plain
	}
	return &Failure{Fate: FateNotApplied, status: detailed}
}

// RetryInfoOf is the RetryInfo among s's details, or nil.
func RetryInfoOf(s *status.Status) *errdetails.RetryInfo {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info
		}
	}
	return nil
}

// FromStatus wraps the error of a gRPC call, whose fate the caller knows.
func FromStatus(fate Fate, err error) *Failure {
	return &Failure{Fate: fate, status: status.Convert(err), cause: err}
}

// WithCause is f with the error behind it. That is for logs: neither Error nor the
// wire shows it.
func (f *Failure) WithCause(cause error) *Failure {
	return &Failure{Fate: f.Fate, status: f.status, cause: cause}
}

// Error implements error.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s: %s (%s)", f.status.Code(), f.status.Message(), f.Fate)
}

// GRPCStatus lets status.FromError see the status, with its details.
func (f *Failure) GRPCStatus() *status.Status { return f.status }

// Unwrap gives the error that was wrapped, if any.
func (f *Failure) Unwrap() error { return f.cause }

// FateOf tells what err says of the command it answered. An error that is not a
// [*Failure] says nothing, so its fate is unknown.
func FateOf(err error) Fate {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure.Fate
	}
	return FateUnknown
}

// RefusalOf is the Refusal among the details of a failed call, as [RefusedFor] puts it
// there; nil if there is none.
func RefusalOf(err error) *pb.Refusal {
	if err == nil {
		return nil
	}
	for _, detail := range status.Convert(err).Details() {
		if refusal, ok := detail.(*pb.Refusal); ok {
			return refusal
		}
	}
	return nil
}
