package ledger

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

var (
	metaBucket  = []byte("meta")
	huntsBucket = []byte("hunts")

	formatKey      = []byte("format")
	idKey          = []byte("ledger_id")
	incarnationKey = []byte("router_incarnation")
	nextEpochKey   = []byte("next_epoch")
)

const (
	format = 1
	// firstCounted is where the counter of epochs starts: above the one that every
	// hunt begins with.
	firstCounted = FirstEpoch + 1
)

// Meta is what a ledger says of itself.
type Meta struct {
	LedgerID string
	// Incarnation counts the openings of this ledger, this one included, from 1.
	Incarnation uint64
	// NextEpoch is the lowest epoch that no hunt has had. Hunts begin at
	// [FirstEpoch]; later epochs come from this counter.
	NextEpoch uint64
}

// begin makes the buckets of a new file, checks those of an old one, and counts
// this opening, all in one commit.
func (l *Ledger) begin() error {
	return l.db.Update(func(tx *bolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists(huntsBucket); err != nil {
			return err
		}
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			made, err := newMeta(tx)
			if err != nil {
				return err
			}
			meta = made
		}
		return l.open(meta)
	})
}

func newMeta(tx *bolt.Tx) (*bolt.Bucket, error) {
	meta, err := tx.CreateBucket(metaBucket)
	if err != nil {
		return nil, err
	}
	return meta, errors.Join(
		putNumber(meta, formatKey, format),
		meta.Put(idKey, []byte(rand.Text())),
		putNumber(meta, incarnationKey, 0),
		putNumber(meta, nextEpochKey, firstCounted),
	)
}

func (l *Ledger) open(meta *bolt.Bucket) error {
	version, err := number(meta, formatKey)
	if err != nil {
		return err
	}
	if version != format {
		return &DamagedError{What: "the ledger", Err: fmt.Errorf("it has format %d; this program knows %d", version, format)}
	}
	incarnation, err := number(meta, incarnationKey)
	if err != nil {
		return err
	}
	nextEpoch, err := number(meta, nextEpochKey)
	if err != nil {
		return err
	}
	l.nextEpoch.Store(nextEpoch)
	l.meta = Meta{LedgerID: string(meta.Get(idKey)), Incarnation: incarnation + 1}
	if l.meta.LedgerID == "" {
		return missing(idKey)
	}
	return putNumber(meta, incarnationKey, l.meta.Incarnation)
}

func number(meta *bolt.Bucket, key []byte) (uint64, error) {
	value := meta.Get(key)
	if len(value) != 8 {
		return 0, missing(key)
	}
	return binary.BigEndian.Uint64(value), nil
}

func missing(key []byte) error {
	return &DamagedError{What: "the ledger", Err: fmt.Errorf("meta %s is missing or damaged", key)}
}

func putNumber(meta *bolt.Bucket, key []byte, value uint64) error {
	return meta.Put(key, binary.BigEndian.AppendUint64(nil, value))
}
