package ledger

import (
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// batchMax is the most changes of one commit, and the most that wait for the next.
const batchMax = 1024

// step takes an entry to its next state: old is nil where there is none, and a nil
// next removes it. Returning old itself writes nothing. The transaction is there for
// its epochs.
type step func(t *transaction, old *Entry) (next *Entry, err error)

// change is one step on its way through the writer.
type change struct {
	huntID string
	step   step

	// The answer: written by the writer before done is closed, read after.
	old, entry *Entry
	err        error
	done       chan struct{}
}

// update takes one step, and returns when it is synced and in the index. When ctx
// is over first the step may yet be taken.
func (l *Ledger) update(ctx context.Context, huntID string, s step) (*Entry, error) {
	c := &change{huntID: huntID, step: s, done: make(chan struct{})}
	select {
	case <-l.stopping:
		return nil, ErrClosed
	default:
	}
	select {
	case l.queue <- c:
	case <-l.stopping:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("ledger: %d changes wait to be written: %w", batchMax, ctx.Err())
	}
	select {
	case <-c.done:
		return c.entry, c.err
	case <-l.stopped: // it was queued behind the last commit, or answered by it
		return c.late()
	case <-ctx.Done():
		return nil, fmt.Errorf("ledger: a change is not written yet: %w", ctx.Err())
	}
}

func (c *change) late() (*Entry, error) {
	select {
	case <-c.done:
		return c.entry, c.err
	default:
		return nil, ErrClosed
	}
}

// write is the one goroutine that changes the file and the index. It needs no
// timer to gather changes: those that come while it syncs are its next commit.
func (l *Ledger) write() {
	defer close(l.stopped)
	batch := make([]*change, 0, batchMax)
	for {
		select {
		case first := <-l.queue:
			batch = l.gather(append(batch[:0], first))
			l.commit(batch)
		case <-l.stopping:
			if batch = l.gather(batch[:0]); len(batch) == 0 {
				return
			}
			l.commit(batch)
		}
	}
}

func (l *Ledger) gather(batch []*change) []*change {
	for len(batch) < batchMax {
		select {
		case c := <-l.queue:
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

// commit takes the steps of a batch in one synced transaction. A step that is
// refused fails alone; a write that fails ends the ledger.
func (l *Ledger) commit(batch []*change) {
	err := l.Err()
	if err == nil {
		err = l.store(batch)
	}
	for _, c := range batch {
		switch {
		case err != nil:
			c.entry, c.err = nil, err
		case c.err == nil && c.entry != c.old:
			l.index.set(c.huntID, c.old, c.entry)
		}
		close(c.done)
	}
}

func (l *Ledger) store(batch []*change) error {
	nextEpoch := l.nextEpoch.Load()
	err := l.db.Update(func(tx *bolt.Tx) error {
		t := &transaction{ledger: l, hunts: tx.Bucket(huntsBucket), staged: make(map[string]*Entry, len(batch)), nextEpoch: nextEpoch}
		for _, c := range batch {
			if err := t.take(c); err != nil {
				return err
			}
		}
		if len(t.staged) == 0 {
			return errNothing
		}
		if nextEpoch == t.nextEpoch {
			return nil
		}
		nextEpoch = t.nextEpoch
		return putNumber(tx.Bucket(metaBucket), nextEpochKey, nextEpoch)
	})
	if err == nil || errors.Is(err, errNothing) {
		l.nextEpoch.Store(nextEpoch)
		return nil
	}
	err = fmt.Errorf("the ledger could not be written, and nothing goes on without it: %w", err)
	l.failure.Store(&err)
	close(l.failed)
	return err
}

// errNothing rolls a transaction back that changed nothing, and spares its sync.
var errNothing = errors.New("nothing to write")

// transaction is one commit in the making.
type transaction struct {
	ledger *Ledger
	hunts  *bolt.Bucket
	staged map[string]*Entry // what this commit changes; the index has only what is synced
	fresh  int64             // entries that it adds, less those that it removes

	nextEpoch uint64
}

// epoch takes the next epoch from the ledger's one counter. One that a refused step
// took is left out.
func (t *transaction) epoch() uint64 {
	taken := t.nextEpoch
	t.nextEpoch++
	return taken
}

// take takes one step and puts its entry. A step that is refused is the change's
// own error; one that take returns is of the file.
func (t *transaction) take(c *change) error {
	old := t.entry(c.huntID)
	c.old, c.entry = old, old
	next, err := c.step(t, old)
	switch {
	case err != nil:
		c.err = err
		return nil
	case next == old:
		return nil
	case next == nil:
		c.entry, t.staged[c.huntID] = nil, nil
		t.fresh--
		return t.hunts.Delete([]byte(c.huntID))
	}
	value, err := t.encode(old, next)
	if err != nil {
		c.err = err
		return nil
	}
	c.entry, t.staged[c.huntID] = next, next
	return t.hunts.Put([]byte(c.huntID), value)
}

func (t *transaction) entry(huntID string) *Entry {
	if e, ok := t.staged[huntID]; ok {
		return e
	}
	e, _ := t.ledger.index.get(huntID)
	return e
}

// encode makes the bytes of next, if there is room for one more where it is new.
func (t *transaction) encode(old, next *Entry) ([]byte, error) {
	value, err := encode(next)
	if err != nil || old != nil {
		return value, err
	}
	if t.ledger.index.entries.Load()+t.fresh >= int64(t.ledger.huntsMax) {
		return nil, &FullError{HuntsMax: t.ledger.huntsMax}
	}
	t.fresh++
	return value, nil
}
