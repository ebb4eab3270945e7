// Package good does it right. Nothing here is to be found.
package good

import (
	"context"
	"sync"
	"time"

	"treasurehunt.example/go-compat/playerstate"
)

type service struct {
	mu     sync.RWMutex
	engine playerstate.Engine
	last   *playerstate.Command
	wake   chan struct{}
	closed bool
}

func (s *service) unlocksFirst(ctx context.Context) { // want unlocksFirst:"waits"
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.engine.Close(ctx)
}

func (s *service) copiesUnderTheLock(ctx context.Context) { // want copiesUnderTheLock:"waits"
	cmd := s.command()
	s.engine.Apply(ctx, cmd)
}

func (s *service) command() *playerstate.Command {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.last
}

func (s *service) copiesInALiteral(ctx context.Context) { // want copiesInALiteral:"waits"
	cmd := func() *playerstate.Command {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return s.last
	}()
	s.engine.Apply(ctx, cmd)
}

func (s *service) neverWaits() {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	close(s.wake)
}

func (s *service) unlocksOnEachWay(ctx context.Context) { // want unlocksOnEachWay:"waits"
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			<-s.wake
			continue
		}
		cmd := s.last
		s.mu.Unlock()
		s.engine.Apply(ctx, cmd)
	}
}

func (s *service) leavesItToAnother(ctx context.Context, group *sync.WaitGroup) {
	s.mu.Lock()
	defer s.mu.Unlock()
	go s.engine.Apply(ctx, s.last)
	group.Go(func() { s.engine.Apply(ctx, s.last) })
	time.AfterFunc(time.Second, func() { s.engine.Close(ctx) })
}

func (s *service) unlocksBeforeItsDeferredCall(ctx context.Context) { // want unlocksBeforeItsDeferredCall:"waits"
	defer s.engine.Close(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
}

func (s *service) unlocksBeforeItReturns(ctx context.Context) { // want unlocksBeforeItReturns:"waits"
	s.mu.Lock()
	defer s.engine.Close(ctx)
	s.mu.Unlock()
}

func (s *service) locksAnother(ctx context.Context, other *service) { // want locksAnother:"waits"
	other.mu.Lock()
	other.mu.Unlock()
	s.engine.Close(ctx)
}

// texts may be appended to bytes.
func (s *service) texts(b []byte, text string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(b, text...)
}
