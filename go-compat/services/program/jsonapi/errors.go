package jsonapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Error is an error that a caller of the API sees.
type Error struct {
	Status  int    `json:"-"`       // of HTTP
	Code    string `json:"code"`    // for programs
	Message string `json:"message"` // for people
	Field   string `json:"field,omitempty"`
}

// Error implements error.
func (e *Error) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("%s: %s: %s", e.Code, e.Field, e.Message)
}

// Invalid refuses a request for one of its fields.
func Invalid(field, format string, args ...any) *Error {
	return &Error{
		Status: http.StatusBadRequest, Code: "invalid_argument",
		Message: fmt.Sprintf(format, args...), Field: field,
	}
}

type errorBody struct {
	Error *Error `json:"error"`
}

var internalError = errorBody{&Error{Code: "internal", Message: "the service failed; its log says why"}}

// fail writes err. One that is not an [*Error] is ours: it is logged, and the
// caller learns only that there was one.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var public *Error
	if errors.As(err, &public) {
		Write(w, public.Status, errorBody{public})
		return
	}
	a.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
	Write(w, http.StatusInternalServerError, internalError)
}

// Write answers body as JSON.
func Write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// This fails only when the caller has gone; there is nobody to tell.
	_ = json.NewEncoder(w).Encode(body)
}
