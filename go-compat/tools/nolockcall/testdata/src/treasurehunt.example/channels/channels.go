// Package channels waits for other goroutines under a lock.
package channels

import (
	"sync"

	"golang.org/x/sync/errgroup"
)

type queue struct {
	mu   sync.Mutex
	work chan int
	done chan struct{}
}

func (q *queue) send() { // want send:"waits: a channel send"
	q.mu.Lock()
	defer q.mu.Unlock()
	q.work <- 1 // want `q.mu is held \(since line 17\) over a channel send`
}

func (q *queue) receive() { // want receive:"waits: a channel receive"
	q.mu.Lock()
	<-q.work // want `over a channel receive`
	q.mu.Unlock()
}

func (q *queue) ranges() { // want ranges:"waits: a channel receive"
	q.mu.Lock()
	defer q.mu.Unlock()
	for range q.work { // want `over a channel receive`
	}
}

func (q *queue) selects() { // want selects:"waits: a select without default"
	q.mu.Lock()
	defer q.mu.Unlock()
	select { // want `over a select without default`
	case <-q.done:
	case q.work <- 1:
	}
}

func (q *queue) selectsOne() { // want selectsOne:"waits: a channel receive"
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-q.done: // want `over a channel receive`
	}
}

func (q *queue) waits(others *sync.WaitGroup, more *errgroup.Group) { // want waits:"waits: a call of \\*sync.WaitGroup.Wait"
	q.mu.Lock()
	defer q.mu.Unlock()
	others.Wait() // want `over a call of \*sync.WaitGroup.Wait`
	more.Wait()   // want `over a call of \*errgroup.Group.Wait`
}
