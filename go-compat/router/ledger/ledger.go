package ledger

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// DefaultHuntsMax is the most entries of a ledger, those of hunts that are over
// included: about 1 KiB of memory and 400 bytes of the file each.
const DefaultHuntsMax = 1_000_000

// lockWait is how long Open waits for a process that is just going.
const lockWait = time.Second

// Config says where the ledger is. A zero field is its default.
type Config struct {
	// Path of the file; it is made, with mode 0600, if it is not there.
	Path string
	// HuntsMax is the most entries, [DefaultHuntsMax]. One more is a [FullError].
	HuntsMax int

	openFile func(string, int, os.FileMode) (*os.File, error) // a test's way to break the disk
}

// Ledger is an open ledger. Safe for concurrent use.
type Ledger struct {
	db       *bolt.DB
	meta     Meta // but for NextEpoch
	huntsMax int
	now      func() time.Time

	index     index
	nextEpoch atomic.Uint64 // only the writer changes it, after the commit

	queue    chan *change
	stopping chan struct{} // closed by Close: nothing new is queued
	stopped  chan struct{} // closed when the writer has returned
	stopOnce sync.Once

	failed  chan struct{} // closed when a write failed
	failure atomic.Pointer[error]
}

// Open locks and reads the ledger at config.Path, and counts this opening. It
// fails with [ErrLocked] when another process has it, with a [*DamagedError] when
// its content makes no sense.
func Open(config Config) (*Ledger, error) {
	if config.HuntsMax == 0 {
		config.HuntsMax = DefaultHuntsMax
	}
	db, err := bolt.Open(config.Path, 0o600, &bolt.Options{
		Timeout:      lockWait,
		FreelistType: bolt.FreelistMapType,
		NoStatistics: true,
		OpenFile:     config.openFile,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%w: %s; stop the process that has it (fuser %s names it), or give this one a ledger of its own", ErrLocked, config.Path, config.Path)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", config.Path, err)
	}
	l := &Ledger{
		db:       db,
		huntsMax: config.HuntsMax,
		now:      time.Now,
		queue:    make(chan *change, batchMax),
		stopping: make(chan struct{}),
		stopped:  make(chan struct{}),
		failed:   make(chan struct{}),
	}
	if err := l.prepare(config.Path); err != nil {
		return nil, errors.Join(fmt.Errorf("ledger %s: %w", config.Path, err), db.Close())
	}
	go l.write()
	return l, nil
}

func (l *Ledger) prepare(path string) error {
	if err := l.begin(); err != nil {
		return err
	}
	if err := l.load(); err != nil {
		return err
	}
	return syncDir(path)
}

// syncDir keeps the name of a file that was just made.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// load reads every entry into the index.
func (l *Ledger) load() error {
	return l.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(huntsBucket).ForEach(func(key, value []byte) error {
			e, err := decode(string(key), value)
			if err != nil {
				return err
			}
			l.index.set(e.HuntID, nil, e)
			return nil
		})
	})
}

// Meta is what the ledger says of itself.
func (l *Ledger) Meta() Meta {
	meta := l.meta
	meta.NextEpoch = l.nextEpoch.Load()
	return meta
}

// Lookup is the hot path: what is kept of a hunt, from memory.
func (l *Ledger) Lookup(huntID string) (*Entry, bool) { return l.index.get(huntID) }

// Live walks the hunts that are Creating or Owned.
func (l *Ledger) Live() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) { each(&l.index.live, yield) }
}

// Over walks the hunts that are Closed or Lost.
func (l *Ledger) Over() iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) { each(&l.index.over, yield) }
}

// Count is how many entries are in this state with this owner.
func (l *Ledger) Count(state State, owner Owner) int {
	return l.index.countOf(kind{state, owner})
}

// HuntsMax is the most entries that this ledger may hold.
func (l *Ledger) HuntsMax() int { return l.huntsMax }

// Failed is closed when a write has failed. Err says why.
func (l *Ledger) Failed() <-chan struct{} { return l.failed }

// Err is nil, or the write that failed. It costs one atomic load.
func (l *Ledger) Err() error {
	if err := l.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Close writes what is queued and lets go of the file. A second Close does nothing.
func (l *Ledger) Close() error {
	l.stopOnce.Do(func() { close(l.stopping) })
	<-l.stopped
	return l.db.Close()
}

// ErrLocked says that another process has the ledger.
var ErrLocked = errors.New("ledger: another process holds the lock")

// ErrClosed says that the ledger is closed.
var ErrClosed = errors.New("ledger: closed")

// DamagedError is content that this program cannot read.
type DamagedError struct {
	What string
	Err  error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s cannot be read: %v; restore the file, or start the newer program that wrote it", e.What, e.Err)
}

// Unwrap gives the cause.
func (e *DamagedError) Unwrap() error { return e.Err }
