// Package away waits for its callers, who are in another package.
package away

type Queue struct{ work chan int }

func (q *Queue) Put(n int) { q.put(n) } // want Put:`waits: \*away.Queue.put → a channel send`

func (q *Queue) put(n int) { q.work <- n } // want put:"waits: a channel send"

func Map[T any](in chan T, f func(T)) { // want Map:"waits: a channel receive"
	for v := range in {
		f(v)
	}
}

type Ring[T any] struct{ work chan T }

func (r *Ring[T]) Take() T { return <-r.work } // want Take:"waits: a channel receive"
