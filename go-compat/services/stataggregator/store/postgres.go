package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// connectMax bounds making a connection, unless the DSN says connect_timeout.
const connectMax = 5 * time.Second

// sessions is what each connection to Postgres asks for, unless the DSN does. A
// writer that is frozen or cut off in the middle loses its transaction, and with
// it the lock that others wait for.
var sessions = map[string]string{
	"application_name":                    "stataggregator",
	"statement_timeout":                   "10s",
	"idle_in_transaction_session_timeout": "10s",
}

// In Postgres the mark that the tables are ours is one of them.
const markTable = "stataggregator"

var postgres = dialect{
	elements:  "jsonb_array_elements",
	together:  true,
	isolation: sql.LevelReadCommitted, // each statement sees what was committed before it began
	lock:      fmt.Sprintf("SELECT pg_advisory_xact_lock(%d, hashtext(current_schema()))", applicationID),
	// The one schema, in Postgres' words. Text is ordered by its bytes, as there.
	schema: strings.NewReplacer(
		"id       INTEGER PRIMARY KEY", "id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
		") STRICT, WITHOUT ROWID;", ");", ") STRICT;", ");",
		" TEXT", ` TEXT COLLATE "C"`, " INTEGER", " BIGINT", " BLOB", " BYTEA",
	).Replace(schema) + fmt.Sprintf("CREATE TABLE %[1]s (version BIGINT NOT NULL); INSERT INTO %[1]s VALUES (%d);", markTable, schemaVersion),
	identity: func(ctx context.Context, tx *sql.Tx) (is identity, err error) {
		row := tx.QueryRowContext(ctx, "SELECT count(*), coalesce(bool_or(tablename = $1), false) FROM pg_tables WHERE schemaname = current_schema()", markTable)
		if err = row.Scan(&is.tables, &is.ours); err == nil && is.ours {
			err = tx.QueryRowContext(ctx, "SELECT version FROM "+markTable).Scan(&is.version)
		}
		return is, err
	},
	another: "database, or a schema of its own (?search_path=NAME)",
}

// openPostgres keeps the store in the schema of a Postgres database that the DSN
// names. Whatever it does not say comes from where libpq looks too: PGHOST and the
// like, PGSERVICE, PGPASSFILE. Readers never wait for a writer; writers of all
// processes wait for each other, each for its transaction.
func openPostgres(ctx context.Context, dsn string) (Store, error) {
	config, err := postgresConfig(dsn)
	if err != nil {
		return nil, err
	}
	_, address := pgconn.NetworkAddress(config.Host, config.Port)
	name := fmt.Sprintf("postgres database %s at %s", config.Database, address)
	reading := config.Copy()
	reading.RuntimeParams["default_transaction_read_only"] = "on"
	counted, err := newDatabase(ctx, name, postgres, openPool(config), openPool(reading))
	if IsAway(err) {
		err = fmt.Errorf("%w: %w", ErrAway, err)
	}
	return counted, err
}

func openPool(config *pgx.ConnConfig) *sql.DB {
	return sql.OpenDB(connector{stdlib.GetConnector(*config)})
}

// connector makes connections. It tells of the last attempt that failed: before it
// the same was tried with TLS, or at the host's other address.
type connector struct{ driver.Connector }

// Connect implements [driver.Connector].
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	var failure *pgconn.ConnectError
	if errors.As(err, &failure) {
		if attempts, many := failure.Unwrap().(interface{ Unwrap() []error }); many {
			all := attempts.Unwrap()
			return nil, &lastAttempt{ConnectError: failure, err: all[len(all)-1]}
		}
	}
	return conn, err
}

// lastAttempt is the error of all attempts, and says what the last one ended with.
type lastAttempt struct {
	*pgconn.ConnectError
	err error
}

func (e *lastAttempt) Error() string {
	return fmt.Sprintf("connect as user %s to database %s: %v", e.Config.User, e.Config.Database, e.err)
}

// Unwrap gives all attempts.
func (e *lastAttempt) Unwrap() error { return e.ConnectError }

var (
	passwordKey = regexp.MustCompile(`[?&]((?:ssl)?password)=`) // would be shown with the settings
	maySecret   = regexp.MustCompile(`^[^:]*:.*:|password|%`)   // a port that is one too
)

// postgresConfig reads a DSN. No error shows a password.
func postgresConfig(dsn string) (*pgx.ConnConfig, error) {
	if key := passwordKey.FindStringSubmatch(dsn); key != nil {
		return nil, fmt.Errorf("store postgres:…: %s does not belong in the DSN's query; keep it in a file that PGPASSFILE names", key[1])
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		const wrong = "store postgres:…: the DSN cannot be read; write postgres://USER@HOST:PORT/DATABASE?KEY=VALUE, special characters as %XX"
		if maySecret.MatchString(dsn) { // pgx masks what it can tell to be one
			return nil, errors.New(wrong + "; without a password in it, this would say where")
		}
		return nil, fmt.Errorf("%s: %w", wrong, err)
	}
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, connectMax)
	asked := maps.Clone(config.RuntimeParams)
	maps.Copy(config.RuntimeParams, sessions)
	maps.Copy(config.RuntimeParams, asked)
	return config, nil
}

// IsAway tells whether an error of a [Store] is of a server that is not there, or not
// now. What a server that is there refuses, as a password or a database, is of the
// settings.
func IsAway(err error) bool {
	if refusal := (*pgconn.PgError)(nil); errors.As(err, &refusal) {
		switch refusal.Code[:2] {
		case "08", "53", "57", "58": // the connection, resources, an operator, the system
			return true
		}
		return false
	}
	var connecting *pgconn.ConnectError
	var talking net.Error // of a connection that broke, or a deadline
	return errors.As(err, &connecting) || errors.As(err, &talking) ||
		errors.Is(err, ErrAway) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, driver.ErrBadConn)
}
