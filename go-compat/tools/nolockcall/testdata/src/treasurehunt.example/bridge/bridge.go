// Package bridge calls the other side under a lock, in every way.
package bridge

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"treasurehunt.example/go-compat/playerstate"
)

// engine implements the seam. Nothing in it waits.
type engine struct{}

func (*engine) Apply(context.Context, *playerstate.Command) (*playerstate.Outcome, error) {
	return nil, nil
}
func (*engine) GetRecord(context.Context, uint64) (*playerstate.Record, error) { return nil, nil }
func (*engine) Close(context.Context) error                                    { return nil }

// applier is a part of the seam, as a consumer may declare it for itself.
type applier interface {
	Apply(context.Context, *playerstate.Command) (*playerstate.Outcome, error)
}

// client is a generated one.
type client interface {
	Probe(ctx context.Context, request string, opts ...grpc.CallOption) (string, error)
}

// file has a Close as the seam has one, and is no engine.
type file struct{}

func (file) Close(context.Context) error { return nil }

type service struct {
	mu        sync.Mutex
	commander playerstate.Commander
	feeder    playerstate.Feeder
	engine    playerstate.Engine
	concrete  *engine
	applier   applier
	conn      grpc.ClientConnInterface
	client    client
	invoker   func(ctx context.Context, opts ...grpc.CallOption) error
	file      file
}

func (s *service) commands(ctx context.Context) { // want commands:"waits: a call of playerstate.Commander.Apply"
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commander.Apply(ctx, nil) // want `s.mu is held \(since line 51\) over a call of playerstate.Commander.Apply`
}

func (s *service) reads(ctx context.Context) { // want reads:"waits"
	s.mu.Lock()
	s.feeder.GetRecord(ctx, 1) // want `s.mu is held .* over a call of playerstate.Feeder.GetRecord`
	s.mu.Unlock()
}

func (s *service) closes(ctx context.Context) { // want closes:"waits"
	s.mu.Lock()
	defer s.mu.Unlock()
	s.engine.Close(ctx)   // want `over a call of playerstate.Engine.Close`
	s.concrete.Close(ctx) // want `over a call of \*bridge.engine.Close`
	s.file.Close(ctx)
}

func (s *service) implements(ctx context.Context) { // want implements:"waits"
	s.mu.Lock()
	defer s.mu.Unlock()
	s.concrete.Apply(ctx, nil) // want `over a call of \*bridge.engine.Apply`
	s.applier.Apply(ctx, nil)  // want `over a call of bridge.applier.Apply`
}

func (s *service) embeds(ctx context.Context) { // want embeds:"waits"
	routed := struct{ playerstate.Engine }{s.engine}
	s.mu.Lock()
	defer s.mu.Unlock()
	routed.Apply(ctx, nil) // want `over a call of playerstate.Commander.Apply`
}

func (s *service) stubs(ctx context.Context) { // want stubs:"waits"
	s.mu.Lock()
	defer s.mu.Unlock()
	grpc.WithDefaultCallOptions()
	s.conn.Invoke(ctx, "/Probe", nil, nil) // want `over a call of grpc.ClientConnInterface.Invoke`
	s.client.Probe(ctx, "")                // want `over a call of bridge.client.Probe`
	s.invoker(ctx)                         // want `over a call of a gRPC client`
}

type task func()

func (t task) run() { t() }

func do(t task) { t.run() }

func measure[Req, Resp any](ctx context.Context, call func(context.Context, Req) (Resp, error), req Req) (Resp, error) {
	return call(ctx, req)
}

func (s *service) named(ctx context.Context) { // want named:"waits"
	s.mu.Lock()
	defer s.mu.Unlock()
	measure(ctx, s.commander.Apply, nil)                   // want `over a call of playerstate.Commander.Apply`
	measure(ctx, s.concrete.Apply, nil)                    // want `over a call of \*bridge.engine.Apply`
	new(sync.Once).Do(func() { s.engine.Apply(ctx, nil) }) // want `over a function literal → a call of playerstate.Commander.Apply`
	do(func() { s.engine.Apply(ctx, nil) })                // want `over a function literal → a call of playerstate.Commander.Apply`
}
