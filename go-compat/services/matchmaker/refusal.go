package matchmaker

import "fmt"

// Reason is why the matchmaker refuses something.
type Reason int

const (
	// Invalid: the request is malformed; Field says where.
	Invalid Reason = iota
	// NotFound: there is no such ticket or hunt, or no more.
	NotFound
	// Conflict: not in the state that it is in.
	Conflict
	// Full: a bound is reached.
	Full
)

// Refusal is an error of the matchmaker's own: it changed nothing.
type Refusal struct {
	Reason  Reason
	Field   string
	Message string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

func refuse(reason Reason, format string, args ...any) *Refusal {
	return &Refusal{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func invalid(field, format string, args ...any) *Refusal {
	r := refuse(Invalid, format, args...)
	r.Field = field
	return r
}
