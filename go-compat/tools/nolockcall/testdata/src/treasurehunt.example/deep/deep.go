// Package deep waits under a lock, some calls away.
package deep

import (
	"sync"

	"treasurehunt.example/away"
)

type service struct {
	mu    sync.Mutex
	work  chan int
	queue *away.Queue
	ring  away.Ring[int]
}

func (s *service) ends() { s.work <- 1 } // want ends:"waits: a channel send"

func (s *service) middle(n int) { // want middle:"waits"
	if n > 0 {
		s.recurse(n)
	}
	s.ends()
}

func (s *service) recurse(n int) { s.middle(n - 1) } // want recurse:"waits"

func (s *service) here() { // want here:"waits"
	s.mu.Lock()
	defer s.mu.Unlock()
	s.middle(3) // want `s.mu is held .* over \*deep.service.middle → \*deep.service.ends → a channel send`
}

func (s *service) elsewhere() { // want elsewhere:"waits"
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue.Put(1)                 // want `over \*away.Queue.Put → \*away.Queue.put → a channel send`
	away.Map(s.work, func(int) {}) // want `over away.Map → a channel receive`
	s.ring.Take()                  // want `over \*away.Ring\[int\].Take → a channel receive`
	literal := func() { s.work <- 1 }
	literal() // want `over a function literal → a channel send`
}

// both looks at the commands of a program, which are literals of a variable.
var both = []func(*service){
	func(s *service) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ends() // want `over \*deep.service.ends`
	},
}
