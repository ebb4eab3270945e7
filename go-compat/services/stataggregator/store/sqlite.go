package store

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // the driver

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

//go:embed schema.sql
var schema string

const (
	applicationID = 0x7468_7374 // "thst", so that another program's file is known as such
	schemaVersion = 1

	readersMax = 4
)

// sqlite keeps the store in one file. One connection writes, so that writers
// queue here and not at the file's lock; readers see the last whole transaction
// and never wait for a writer (WAL).
//
// With synchronous=NORMAL a commit is not synced: a power cut can take the last
// ones away again. It takes their cursors with them, so those records are read
// and counted once more. What is on disk is whole at any time.
//
// Nothing is remembered between transactions, so that what counts is what the
// file says, also when a second process writes to it.
type sqlite struct {
	writer, readers *sql.DB
	statements      statements
	now             func() time.Time
}

func openSQLite(ctx context.Context, path string) (Store, error) {
	s := &sqlite{now: time.Now}
	var err error
	if s.writer, err = sql.Open("sqlite", dataSource(path, "rwc", "journal_mode(WAL)", "synchronous(NORMAL)")); err != nil {
		return nil, err
	}
	s.writer.SetMaxOpenConns(1)
	if s.readers, err = sql.Open("sqlite", dataSource(path, "ro")); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.readers.SetMaxOpenConns(readersMax)
	if err := s.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", path, err), s.Close())
	}
	return s, nil
}

func dataSource(path, mode string, pragmas ...string) string {
	query := url.Values{"mode": {mode}, "_txlock": {"immediate"}, "_pragma": append(pragmas, "busy_timeout(5000)")}
	if mode == "ro" {
		query.Set("_txlock", "deferred")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

// prepare makes the schema in a new file, and refuses a file that is not ours.
func (s *sqlite) prepare(ctx context.Context) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	var application, version, tables int
	row := tx.QueryRowContext(ctx, "SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id a, pragma_user_version v")
	if err := row.Scan(&application, &version, &tables); err != nil {
		return err
	}
	switch {
	case tables == 0:
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("%s PRAGMA application_id = %d; PRAGMA user_version = %d;", schema, applicationID, schemaVersion)); err != nil {
			return err
		}
	case application != applicationID:
		return errors.New("it is another program's database; name another file")
	case version != schemaVersion:
		return fmt.Errorf("its schema is version %d and this build knows %d; use the build that wrote it, or name another file", version, schemaVersion)
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return s.statements.prepare(ctx, s.writer)
}

// Close ends the store. Nothing may be counted any more.
func (s *sqlite) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.readers, s.writer} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// Cursor implements [Store].
func (s *sqlite) Cursor(ctx context.Context, feed string) ([]byte, error) {
	f, err := s.Feed(ctx, feed)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return f.Cursor, err
}

// Count implements [Store].
func (s *sqlite) Count(ctx context.Context, feed string, answer *pb.ReadRecordsResponse) (*tally.Page, error) {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	book := newBook(ctx, tx, &s.statements)
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
	if err := keepFeed(ctx, tx, page, answer); err != nil {
		return nil, err
	}
	if err := keepAlarms(ctx, tx, page.Alarms, s.now()); err != nil {
		return nil, err
	}
	return page, tx.Commit()
}

func keepFeed(ctx context.Context, tx *sql.Tx, page *tally.Page, answer *pb.ReadRecordsResponse) error {
	cursor := answer.GetCursor()
	if cursor == nil {
		cursor = []byte{}
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO feeds (name, cursor, records, duplicates, gaps, newest_ms) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, records = records + excluded.records,
			duplicates = duplicates + excluded.duplicates, gaps = gaps + excluded.gaps, newest_ms = max(newest_ms, excluded.newest_ms)`,
		page.Feed, cursor, wide(page.Records), wide(page.Duplicates), answer.GetGap(), page.NewestMs)
	return err
}

func keepAlarms(ctx context.Context, tx *sql.Tx, alarms []tally.Alarm, now time.Time) error {
	if len(alarms) == 0 {
		return nil
	}
	// Of more than are kept, the rest would be forgotten at once.
	for _, alarm := range alarms[max(0, len(alarms)-AlarmsMax):] {
		if _, err := tx.ExecContext(ctx, "INSERT INTO alarms (at_ms, kind, feed, hunt_id, sequence, text) VALUES (?, ?, ?, ?, ?, ?)",
			now.UnixMilli(), alarm.Kind, alarm.Feed, alarm.Hunt, wide(alarm.Sequence), alarm.Text); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM alarms WHERE id <= (SELECT max(id) FROM alarms) - ?", AlarmsMax)
	return err
}
