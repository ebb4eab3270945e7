// Package playerstate is the seam between the services of a shard and whatever
// keeps its player state: the engine in this process, the sidecar, or a router
// over both.
//
// The interfaces are small and speak the schema's own messages. Verdicts are
// values: a rejected or refused command comes back as an [pb.Outcome] and a nil
// error. Failures are errors, always a [*Failure], which says whether the
// command can have been applied.
//
// Every implementation is safe for concurrent use. A context without a deadline
// gets [DefaultTimeout]. Messages that are passed in are read only until the
// call returns; messages that come back belong to the caller.
package playerstate

import (
	"context"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// DefaultTimeout bounds a call whose context has no deadline.
const DefaultTimeout = 250 * time.Millisecond

// Commander takes commands and answers reads.
type Commander interface {
	CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error)
	EndHunt(ctx context.Context, req *pb.EndHuntRequest) (*pb.EndHuntResponse, error)
	GetHunt(ctx context.Context, req *pb.GetHuntRequest) (*pb.GetHuntResponse, error)
	GetPlayer(ctx context.Context, req *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error)

	// Apply takes one command to its outcome.
	Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error)

	// ApplyBatch takes 1 to [MaxBatch] commands, and answers as many outcomes in
	// the same order. One bad or late command never spoils its neighbours.
	ApplyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error)
}

// Feeder shows what happened, to readers that keep their own cursor.
type Feeder interface {
	// ReadRecords answers at once if records are there, else waits up to
	// req.WaitMs for the first.
	ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error)

	// GetRecord answers one record by its place: the whole answer of a command
	// that was applied before.
	GetRecord(ctx context.Context, req *pb.GetRecordRequest) (*pb.GetRecordResponse, error)
}

// Mover passes hunts from owner to owner, and says who has what: the calls that
// routers make, and nobody else. They carry a Fence: who the router is, and which
// life of the engine it means.
//
// These are the calls that a restart needs. Those of the handoff (GetSnapshot, Offer,
// Seal, Stage, Reopen, Discard, Retire, Follow) come with it; until then every
// server answers them UNIMPLEMENTED.
type Mover interface {
	// Hello tells each side who the other is. An engine that another ledger owns, or
	// that has seen a later router, refuses it with codes.FailedPrecondition.
	Hello(ctx context.Context, req *pb.HelloRequest) (*pb.HelloResponse, error)

	// ListHunts answers what the engine has, by hunt id, in pages of at most
	// [MaxListHunts].
	ListHunts(ctx context.Context, req *pb.ListHuntsRequest) (*pb.ListHuntsResponse, error)

	// Probe answers once the engine has done all that a command makes it do, to the
	// sync of its journal: an answer says that commands are answered too.
	Probe(ctx context.Context, req *pb.ProbeRequest) (*pb.ProbeResponse, error)

	// Activate makes the engine the hunt's owner at a new epoch, if its copy is at
	// exactly the sequence and digest asked for. Once taken, the same again is the same
	// answer. One that is not taken is codes.FailedPrecondition, with a Refusal that
	// has the copy's epoch among the details, and its text says the state.
	Activate(ctx context.Context, req *pb.ActivateRequest) (*pb.ActivateResponse, error)
}

// Engine is the first two, as the engine in this process and the sidecar's client are.
type Engine interface {
	Commander
	Feeder

	// Close stops the engine within ctx. Calls in hand are answered; later ones
	// fail with codes.Unavailable.
	Close(ctx context.Context) error
}
