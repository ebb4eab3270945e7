package legacy

import (
	"sync"
)

// ring keeps the newest records, as bytes, bounded by their number and size. A
// record's position counts from 1 and is never reused. It is safe for concurrent
// use; the mutex guards everything below it, and is held for no longer than a
// step of a scan takes.
type ring struct {
	recordsMax int
	bytesMax   int

	mu      sync.Mutex
	chunks  []*[chunkLen]entry // the first holds position start
	start   uint64             // of the first entry of the first chunk
	oldest  uint64             // position of the oldest record kept
	next    uint64             // position of the next record
	bytes   int
	hunts   map[string]*track
	changed chan struct{} // closed at the next append; nil while nobody waits
}

const chunkLen = 4096

// entry is one record kept.
type entry struct {
	bytes []byte
	hunt  *track
	move  bool // of a Move that was applied
}

// track is where the records of one hunt are. Their sequences have no gap, so
// the place of one follows from that of the first.
type track struct {
	id        string
	first     uint64   // sequence of the oldest kept
	positions []uint64 // ascending
}

func newRing(recordsMax, bytesMax int) *ring {
	return &ring{recordsMax: recordsMax, bytesMax: bytesMax, start: 1, oldest: 1, next: 1, hunts: make(map[string]*track)}
}

// append takes a record in, and drops the oldest over the bounds. It keeps the
// bytes, which must not change any more.
func (r *ring) append(huntID string, sequence uint64, move bool, bytes []byte) {
	r.mu.Lock()
	t := r.hunts[huntID]
	if t == nil {
		t = &track{id: huntID, first: sequence}
		r.hunts[huntID] = t
	}
	t.positions = append(t.positions, r.next)
	*r.room() = entry{bytes: bytes, hunt: t, move: move}
	r.next++
	r.bytes += len(bytes)
	for r.kept() > 1 && (r.kept() > r.recordsMax || r.bytes > r.bytesMax) {
		r.drop()
	}
	changed := r.changed
	r.changed = nil
	r.mu.Unlock()
	if changed != nil {
		close(changed)
	}
}

func (r *ring) kept() int { return int(r.next - r.oldest) }

// at gives the entry of a position that is kept.
func (r *ring) at(position uint64) *entry {
	offset := position - r.start
	return &r.chunks[offset/chunkLen][offset%chunkLen]
}

// room gives the entry of the next position.
func (r *ring) room() *entry {
	if r.next-r.start == uint64(len(r.chunks))*chunkLen {
		r.chunks = append(r.chunks, new([chunkLen]entry))
	}
	return r.at(r.next)
}

// drop forgets the oldest record.
func (r *ring) drop() {
	e := r.at(r.oldest)
	t := e.hunt
	t.positions, t.first = t.positions[1:], t.first+1
	if len(t.positions) == 0 {
		delete(r.hunts, t.id)
	}
	r.bytes -= len(e.bytes)
	*e = entry{}
	r.oldest++
	if r.oldest-r.start == chunkLen {
		r.chunks = append(r.chunks[:0], r.chunks[1:]...) // a few pointers, once in 4,096 records
		r.start = r.oldest
	}
}

// find gives one record, or nil if it is not kept, with the oldest sequence of
// the hunt that is (0: none).
func (r *ring) find(huntID string, sequence uint64) (bytes []byte, oldestKept uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.hunts[huntID]
	if t == nil {
		return nil, 0
	}
	if sequence < t.first || sequence-t.first >= uint64(len(t.positions)) {
		return nil, t.first
	}
	return r.at(t.positions[sequence-t.first]).bytes, t.first
}

// query is what a reader wants to see, and how much at most.
type query struct {
	hunt      string // "": all
	skipMoves bool
	records   int
	bytes     int
}

func (q *query) wants(e *entry) bool {
	return (q.hunt == "" || e.hunt.id == q.hunt) && !(q.skipMoves && e.move)
}

// page is what a reader gets.
type page struct {
	records [][]byte
	next    uint64 // position to go on from
	gap     bool   // records between the position asked for and these are gone
	behind  uint64 // records from next on
	full    bool   // it ended before the newest record
	bytes   int
}

// The bounds of one read: so many records are looked at under one hold of the
// mutex, and so many in all.
const (
	scanStep = 1024
	scanMost = 100_000
)

// read gives records from a position on, as many as the query takes.
func (r *ring) read(from uint64, q query) page {
	p := page{next: from}
	for scanned := 0; scanned < scanMost && r.step(&p, q); scanned += scanStep {
	}
	return p
}

// step reads on for one hold of the mutex, and tells whether there may be more.
func (r *ring) step(p *page, q query) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.next < r.oldest {
		if len(p.records) > 0 { // they fell out while this page was read: the next one says so
			p.behind = r.next - p.next
			return false
		}
		p.next, p.gap = r.oldest, true
	}
	for range scanStep {
		if p.next == r.next {
			break
		}
		e := r.at(p.next)
		if q.wants(e) {
			if p.full = p.isFull(e, q); p.full {
				break
			}
			p.records = append(p.records, e.bytes)
			p.bytes += wireBytes(e)
		}
		p.next++
	}
	p.behind = r.next - p.next
	return !p.full && p.behind > 0
}

func (p *page) isFull(e *entry, q query) bool {
	return len(p.records) == q.records || (len(p.records) > 0 && p.bytes+wireBytes(e) > q.bytes)
}

// wireBytes is what a record takes in a reply: its tag, its length, itself.
func wireBytes(e *entry) int {
	const tagAndLength = 4 // a record is under 2 MiB
	return tagAndLength + len(e.bytes)
}

// more gives a channel that is closed at the next append after position next;
// nil if there is a record already.
func (r *ring) more(next uint64) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if next != r.next {
		return nil
	}
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

// usage is for the metrics.
func (r *ring) usage() (records, bytes int, dropped uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept(), r.bytes, r.oldest - 1
}

// end is the position of the next record.
func (r *ring) end() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.next
}
