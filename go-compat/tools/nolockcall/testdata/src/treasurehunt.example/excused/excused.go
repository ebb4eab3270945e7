// Package excused has exceptions, some of which are none.
package excused

import "sync"

type service struct {
	mu   sync.Mutex
	work chan int
}

func (s *service) excused() { // want excused:"waits"
	s.mu.Lock()
	defer s.mu.Unlock()
	//nolockcall:ok the channel has room for all
	s.work <- 1
	s.work <- 2 // want `s.mu is held`
}

// callers need a reason of their own.
func (s *service) callers(mu *sync.Mutex) { // want callers:"waits"
	mu.Lock()
	defer mu.Unlock()
	s.excused() // want `mu is held`
}

func (s *service) unreasoned() { // want unreasoned:"waits"
	s.mu.Lock()
	defer s.mu.Unlock()
	/* want `an exception needs a reason` */ //nolockcall:ok
	s.work <- 1                              // want `s.mu is held`
}

func (s *service) unused() {
	/* want `this exception excuses nothing` */ //nolockcall:ok it never waits
	s.mu.Lock()
	s.mu.Unlock()
}
