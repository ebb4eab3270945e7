// Package playerstate is the seam, made small.
package playerstate

import "context"

type (
	Command struct{}
	Outcome struct{}
	Record  struct{}
)

type Commander interface {
	Apply(ctx context.Context, cmd *Command) (*Outcome, error)
}

type Feeder interface {
	GetRecord(ctx context.Context, sequence uint64) (*Record, error)
}

type Engine interface {
	Commander
	Feeder
	Close(ctx context.Context) error
}
