package store

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

//go:embed schema.sql
var schema string

const readersMax = 4

// database keeps the store in a database of either kind. One connection writes, so
// that writers of a process queue here and not at the database's lock; readers see
// the last whole transaction.
//
// Nothing is remembered between transactions, so that what counts is what the
// database says, also when a second process writes to it.
type database struct {
	dialect         dialect
	writer, readers *sql.DB
	statements      statements
	now             func() time.Time
}

// newDatabase makes a store of two pools of connections to a database, which is
// shown as name. It closes them, also on an error.
func newDatabase(ctx context.Context, name string, d dialect, writer, readers *sql.DB) (Store, error) {
	writer.SetMaxOpenConns(1)
	readers.SetMaxOpenConns(readersMax)
	db := &database{dialect: d, writer: writer, readers: readers, now: time.Now}
	err := d.prepare(ctx, writer)
	if err == nil {
		err = db.statements.prepare(ctx, writer, d)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", name, err), db.Close())
	}
	return db, nil
}

// Close ends the store. Nothing may be counted any more.
func (db *database) Close() error {
	return errors.Join(db.readers.Close(), db.writer.Close())
}

// Cursor implements [Store].
func (db *database) Cursor(ctx context.Context, feed string) ([]byte, error) {
	f, err := db.Feed(ctx, feed)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return f.Cursor, err
}

// Count implements [Store].
func (db *database) Count(ctx context.Context, feed string, answer *pb.ReadRecordsResponse) (*tally.Page, error) {
	tx, err := db.dialect.begin(ctx, db.writer)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	book := newBook(ctx, tx, db.dialect, &db.statements)
	if err := book.prefetch(answer.GetRecords()); err != nil {
		return nil, err
	}
	page, err := tally.Count(book, feed, answer)
	if err != nil {
		return nil, err
	}
	if err := book.write(); err != nil {
		return nil, err
	}
	if err := book.keepAlarms(page.Alarms, db.now()); err != nil {
		return nil, err
	}
	if err := keepFeed(ctx, tx, page, answer); err != nil {
		return nil, err
	}
	return page, tx.Commit()
}

func keepFeed(ctx context.Context, tx *sql.Tx, page *tally.Page, answer *pb.ReadRecordsResponse) error {
	cursor, gaps := answer.GetCursor(), 0
	if cursor == nil {
		cursor = []byte{}
	}
	if answer.GetGap() {
		gaps = 1
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO feeds (name, cursor, records, duplicates, gaps, newest_ms) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, records = feeds.records + excluded.records,
			duplicates = feeds.duplicates + excluded.duplicates, gaps = feeds.gaps + excluded.gaps,
			newest_ms = CASE WHEN feeds.newest_ms > excluded.newest_ms THEN feeds.newest_ms ELSE excluded.newest_ms END`,
		page.Feed, cursor, wide(page.Records), wide(page.Duplicates), gaps, page.NewestMs)
	return err
}
