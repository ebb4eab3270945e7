package matchmaker

import (
	"errors"
	"net/http"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/program/jsonapi"
)

// outside is an error as callers of the JSON API see it: the one place where
// causes become answers. What is neither the matchmaker's refusal nor an
// engine's failure goes on as it is, and stays inside.
func outside(err error) error {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return refusalOutside(refusal)
	}
	var failure *playerstate.Failure
	if errors.As(err, &failure) {
		return failureOutside(failure)
	}
	return err
}

func refusalOutside(r *Refusal) *jsonapi.Error {
	e := &jsonapi.Error{Message: r.Message, Field: r.Field}
	switch r.Reason {
	case Invalid:
		e.Status, e.Code = http.StatusBadRequest, "invalid_argument"
	case NotFound:
		e.Status, e.Code = http.StatusNotFound, "not_found"
	case Conflict:
		e.Status, e.Code = http.StatusConflict, "conflict"
	case Full:
		e.Status, e.Code = http.StatusTooManyRequests, "resource_exhausted"
	}
	return e
}

// failureOutside says what an engine's status means for a caller. Statuses that
// only a mistake of ours can bring stay inside.
func failureOutside(failure *playerstate.Failure) error {
	message := status.Convert(failure).Message()
	switch status.Code(failure) {
	case codes.NotFound:
		return &jsonapi.Error{Status: http.StatusNotFound, Code: "not_found", Message: message}
	case codes.FailedPrecondition: // being created still, or lost
		return &jsonapi.Error{Status: http.StatusConflict, Code: "conflict", Message: message}
	case codes.Unavailable, codes.Aborted:
		return &jsonapi.Error{Status: http.StatusServiceUnavailable, Code: "unavailable", Message: message}
	case codes.ResourceExhausted:
		return &jsonapi.Error{Status: http.StatusTooManyRequests, Code: "resource_exhausted", Message: message}
	case codes.DeadlineExceeded:
		return &jsonapi.Error{Status: http.StatusGatewayTimeout, Code: "deadline_exceeded", Message: "the engine did not answer in time: " + message}
	default: // gRPC's codes, not ours
		return failure
	}
}
