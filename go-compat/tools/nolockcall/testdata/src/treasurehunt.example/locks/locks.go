// Package locks holds each kind of lock over a receive.
package locks

import "sync"

var done chan struct{}

func receive() { <-done } // want receive:"waits"

type embeds struct {
	sync.Mutex
	inner struct{ sync.RWMutex }
}

func (e *embeds) embedded() { // want embedded:"waits"
	e.Lock()
	defer e.Unlock()
	receive() // want `e.Mutex is held`
}

func (e *embeds) reading() { // want reading:"waits"
	e.inner.RLock()
	receive() // want `e.inner.RWMutex is held`
	e.inner.RUnlock()
}

var global sync.Mutex

func packageLevel() { // want packageLevel:"waits"
	global.Lock()
	receive() // want `global is held`
	global.Unlock()
}

func local() { // want local:"waits"
	var mu sync.Mutex
	mu.Lock()
	receive() // want `mu is held`
	mu.Unlock()
	func() {
		mu.Lock()
		defer mu.Unlock()
		receive() // want `mu is held`
	}()
}

func locker(l sync.Locker) { // want locker:"waits"
	l.Lock()
	receive() // want `l is held`
	l.Unlock()
	receive()
}

func tried(mu *sync.Mutex) { // want tried:"waits"
	if !mu.TryLock() {
		receive()
		return
	}
	receive() // want `mu is held`
	mu.Unlock()
}

func oneWay(mu *sync.Mutex, early bool) { // want oneWay:"waits"
	mu.Lock()
	if early {
		mu.Unlock()
	}
	receive() // want `mu is held`
	if !early {
		mu.Unlock()
	}
}

func loop(mu *sync.Mutex) { // want loop:"waits"
	for range 3 {
		receive() // want `mu is held`
		mu.Lock()
	}
}

func two(a, b *sync.Mutex) { // want two:"waits"
	a.Lock()
	b.Lock()
	receive() // want `a is held` `b is held`
	b.Unlock()
	receive() // want `a is held`
	a.Unlock()
}

type shards [4]struct{ mu sync.Mutex }

func (s *shards) indexed(i int) { // want indexed:"waits"
	s[i].mu.Lock()
	receive() // want `s\[i\].mu is held`
	s[i].mu.Unlock()
	receive()
}

func mapped(m map[string]*embeds, k string) { // want mapped:"waits"
	m[k].Lock()
	receive() // want `m\[k\].Mutex is held`
	m[k].Unlock()
	receive()
}

func received(mutexes chan *sync.Mutex) { // want received:"waits"
	first, second := <-mutexes, <-mutexes
	first.Lock()
	second.Lock()
	second.Unlock()
	receive() // want `a mutex is held`
	first.Unlock()
}

func deferred(mu *sync.Mutex) { // want deferred:"waits"
	mu.Lock()
	defer mu.Unlock()
	defer receive() // want `mu is held`
}

func maybeDeferred(mu *sync.Mutex, late bool) { // want maybeDeferred:"waits"
	mu.Lock()
	if late {
		defer mu.Unlock()
	}
	defer receive() // want `mu is held`
	if !late {
		mu.Unlock()
	}
}
