package enginetest

import (
	"errors"
	"strings"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

func (b *bench) wantVerdict(outcome *pb.Outcome, want pb.Verdict) {
	b.Helper()
	if outcome.GetVerdict() != want {
		b.Errorf("got %v; want %s", outcome, want)
	}
}

func (b *bench) wantRefusal(outcome *pb.Outcome, want pb.Refusal_Reason) {
	b.Helper()
	if outcome.GetVerdict() != pb.Verdict_VERDICT_REFUSED || outcome.GetRefusal().GetReason() != want {
		b.Errorf("got %v; want REFUSED %s", outcome, want)
	}
}

func (b *bench) wantRejection(outcome *pb.Outcome, want pb.Rejection) {
	b.Helper()
	if outcome.GetVerdict() != pb.Verdict_VERDICT_REJECTED || outcome.GetRejection() != want {
		b.Errorf("got %v; want REJECTED %s", outcome, want)
	}
}

// wantSame compares messages.
func (b *bench) wantSame(what string, got, want proto.Message) {
	b.Helper()
	if !proto.Equal(got, want) {
		b.Errorf("%s (- want, + got):\n%s", what, cmp.Diff(want, got, protocmp.Transform()))
	}
}

// failure wants err to be a Failure, as every error of the seam is.
func (b *bench) failure(err error) *playerstate.Failure {
	b.Helper()
	var failure *playerstate.Failure
	if !errors.As(err, &failure) {
		b.Fatalf("the error is %v (%T); want a *playerstate.Failure, which says what is known of the command", err, err)
	}
	return failure
}

// wantNotApplied wants a failure of a code that says that nothing was applied. Any
// goroutine may call it: it does not end the test.
func (b *bench) wantNotApplied(err error, want codes.Code) {
	b.Helper()
	if status.Code(err) != want || playerstate.FateOf(err) != playerstate.FateNotApplied {
		b.Errorf("got %v (%T); want a *playerstate.Failure: %s (%s)", err, err, want, playerstate.FateNotApplied)
	}
}

// wantField wants a failure that names the field which is malformed, to people and
// to programs.
func (b *bench) wantField(err error, field string) {
	b.Helper()
	said := status.Convert(b.failure(err))
	b.wantNotApplied(err, codes.InvalidArgument)
	if !strings.HasPrefix(said.Message(), field+": ") {
		b.Errorf("%q does not begin with the field, %q", said.Message(), field)
	}
	for _, detail := range said.Details() {
		if bad, ok := detail.(*errdetails.BadRequest); ok && bad.GetFieldViolations()[0].GetField() == field {
			return
		}
	}
	b.Errorf("%v has no google.rpc.BadRequest that names %s (playerstate.Invalid makes one)", err, field)
}
