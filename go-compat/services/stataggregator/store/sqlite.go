package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const applicationID = 0x7468_7374 // "thst", so that another program's database is known as such

var sqlite = dialect{
	elements: "json_each",
	schema:   fmt.Sprintf("%s PRAGMA application_id = %d; PRAGMA user_version = %d;", schema, applicationID, schemaVersion),
	identity: func(ctx context.Context, tx *sql.Tx) (is identity, err error) {
		var application int
		row := tx.QueryRowContext(ctx, "SELECT a.application_id, v.user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id a, pragma_user_version v")
		err = row.Scan(&application, &is.version, &is.tables)
		is.ours = application == applicationID
		return is, err
	},
	another: "file",
}

// openSQLite keeps the store in one file. Readers see the last whole transaction
// and never wait for a writer (WAL).
//
// With synchronous=NORMAL a commit is not synced: a power cut can take the last
// ones away again. It takes their cursors with them, so those records are read
// and counted once more. What is on disk is whole at any time.
func openSQLite(ctx context.Context, path string) (Store, error) {
	writer, err := sql.Open("sqlite", dataSource(path, "rwc", "journal_mode(WAL)", "synchronous(NORMAL)"))
	if err != nil {
		return nil, err
	}
	readers, err := sql.Open("sqlite", dataSource(path, "ro"))
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	counted, err := newDatabase(ctx, path, sqlite, writer, readers)
	return counted, explain(err, path)
}

// explain says what to do about a file that SQLite does not open.
func explain(err error, path string) error {
	var refusal *driver.Error
	if !errors.As(err, &refusal) {
		return err
	}
	switch refusal.Code() & 0xff { // what is above is detail
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		return fmt.Errorf("%w; %w", err, ErrDamaged)
	case sqlite3.SQLITE_CANTOPEN:
		if _, missing := os.Stat(filepath.Dir(path)); errors.Is(missing, fs.ErrNotExist) {
			return fmt.Errorf("%w; its directory does not exist: make it", err)
		}
	}
	return err
}

func dataSource(path, mode string, pragmas ...string) string {
	query := url.Values{"mode": {mode}, "_txlock": {"immediate"}, "_pragma": append(pragmas, "busy_timeout(5000)")}
	if mode == "ro" {
		query.Set("_txlock", "deferred")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}
