package ledger

import (
	"sync"
	"sync/atomic"
)

// index is the entries in memory. Any number of readers look up without a lock;
// only the writer changes it. Hunts that are over stand apart, so that whoever
// walks the live ones does not pass by a day of ended hunts.
type index struct {
	live sync.Map // hunt id → *Entry, Creating or Owned
	over sync.Map // hunt id → *Entry, Closed or Lost

	entries atomic.Int64
	counts  sync.Map // kind → *atomic.Int64
}

// kind is what the ledger counts entries by.
type kind struct {
	state State
	owner Owner
}

func (x *index) get(huntID string) (*Entry, bool) {
	if e, ok := x.live.Load(huntID); ok {
		return e.(*Entry), true
	}
	// A hunt goes from live to over once, and is put there before it leaves here.
	if e, ok := x.over.Load(huntID); ok {
		return e.(*Entry), true
	}
	return nil, false
}

// set puts e in place of old; a nil e removes it. Only the writer calls it.
func (x *index) set(huntID string, old, e *Entry) {
	if old != nil {
		x.count(old, -1)
	}
	if e != nil {
		x.count(e, 1)
	}
	switch {
	case e == nil:
		x.live.Delete(huntID)
		x.over.Delete(huntID)
	case e.State.over():
		x.over.Store(huntID, e)
		x.live.Delete(huntID)
	default:
		x.live.Store(huntID, e)
	}
}

func (x *index) count(e *Entry, by int64) {
	x.entries.Add(by)
	n, _ := x.counts.LoadOrStore(kind{e.State, e.Owner}, new(atomic.Int64))
	n.(*atomic.Int64).Add(by)
}

func (x *index) countOf(of kind) int {
	if n, ok := x.counts.Load(of); ok {
		return int(n.(*atomic.Int64).Load())
	}
	return 0
}

// each walks the entries of m until yield says stop. Entries that change
// meanwhile are seen as they were or as they are.
func each(m *sync.Map, yield func(*Entry) bool) {
	m.Range(func(_, e any) bool { return yield(e.(*Entry)) })
}
