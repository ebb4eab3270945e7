package store

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"treasurehunt.example/go-compat/services/stataggregator/internal/testpostgres"
)

// refused opens a store, and wants it refused in words that keep the secret.
func refused(t *testing.T, dsn, says string, away bool) {
	t.Helper()
	s, err := Open(t.Context(), dsn)
	if err == nil {
		s.Close()
		t.Errorf("%s: was opened, want a refusal that says %q", dsn, says)
		return
	}
	if !strings.Contains(err.Error(), says) || errors.Is(err, ErrAway) != away || strings.Contains(err.Error(), "secret") {
		t.Errorf("%s: %v, want a refusal that says %q, away: %v", dsn, err, says, away)
	}
}

func TestADatabaseThatIsNotOursIsRefused(t *testing.T) {
	server := testpostgres.Shared(t)
	theirs, newer := server.Schema(t, nil), server.Schema(t, nil)
	server.Exec(t, "CREATE TABLE theirs (x INTEGER)", theirs)
	open(t, newer).Close()
	server.Exec(t, "UPDATE stataggregator SET version = 9", newer)
	refused(t, theirs, "another program's", false)
	refused(t, newer, "version 9 and this build knows 2", false)
	refused(t, server.DSN(url.Values{"search_path": {"nowhere"}}), "no schema has been selected", false)
	refused(t, strings.Replace(server.DSN(nil), "/postgres?", "/nosuch?", 1), `database "nosuch" does not exist`, false)
}

func TestADSNThatDoesNotReadIsRefusedAndShowsNoPassword(t *testing.T) {
	for dsn, says := range map[string]string{
		"postgres://user:secret@host:port/db":                  "cannot be read",
		"postgres://user:se%zzsecret@host/db":                  "cannot be read",
		"postgres://user:a/secret?b@host:x/db":                 "cannot be read",
		"postgres://user:secret/db":                            "cannot be read", // the host was forgotten
		"postgres://user@host/db?password=secret":              "PGPASSFILE",
		"postgres://user@host/db?sslmode=b&sslpassword=secret": "PGPASSFILE",
		"postgres://user@host/db?sslmode=perhaps":              "sslmode",
		"postgres:///?service=none":                            "service",
	} {
		refused(t, dsn, says, false)
	}
}

func TestAServerThatIsAwayIsToldFromOneThatRefuses(t *testing.T) {
	dir := t.TempDir()
	refused(t, "postgres://user:secret@/db?host="+dir, dir, true)
	refused(t, "postgresql://user:secret@127.0.0.1:1/db", "127.0.0.1:1", true)
}

func TestAServerThatIsAwayIsToldOfOnce(t *testing.T) {
	_, err := Open(t.Context(), "postgres://user@127.0.0.1:1/db?sslmode=prefer")
	if !errors.Is(err, ErrAway) || strings.Count(err.Error(), "connection refused") != 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v, want one refused connection, in one line", err)
	}
}

func TestAPasswordComesFromTheFileThatLibpqReads(t *testing.T) {
	server := testpostgres.Shared(t)
	place := server.Schema(t, nil)
	dsn, err := url.Parse(place)
	if err != nil {
		t.Fatal(err)
	}
	dsn.User = url.User(testpostgres.Locked)
	server.Exec(t, "GRANT ALL ON SCHEMA "+dsn.Query().Get("search_path")+" TO "+testpostgres.Locked) // and it needs no more
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("PGPASSFILE", file("passwords", "*:*:*:*:othersecret\n"))
	refused(t, dsn.String(), "password authentication failed", false)
	t.Setenv("PGPASSFILE", file("passwords", "*:*:*:"+testpostgres.Locked+":"+testpostgres.Password+"\n"))
	open(t, dsn.String())
	t.Setenv("PGSERVICEFILE", file("services", "[stats]\nuser="+testpostgres.Locked+"\ndbname=postgres\nhost="+dsn.Query().Get("host")+"\n"))
	open(t, "postgres:///?service=stats&search_path="+dsn.Query().Get("search_path"))
}

func TestManyMayOpenAnEmptyDatabaseAtOnce(t *testing.T) {
	dsn := testpostgres.Shared(t).Schema(t, nil)
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			s, err := Open(t.Context(), dsn)
			if err != nil {
				return err
			}
			return s.Close()
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// A process that was stopped in the middle of a page holds the lock.
func TestAWriterThatIsFrozenHoldsNobodyBackForLong(t *testing.T) {
	dsn := testpostgres.Shared(t).Schema(t, url.Values{"idle_in_transaction_session_timeout": {"300ms"}})
	frozen, other := open(t, dsn), open(t, dsn)
	tx, err := frozen.dialect.begin(t.Context(), frozen.writer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Count(t.Context(), "go", answer("1", leave("h", 1, 7))); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err == nil {
		t.Error("the frozen one still had its transaction")
	}
	// It thaws, and counts on.
	page, err := frozen.Count(t.Context(), "go", answer("2", leave("h", 1, 7), leave("h", 2, 7)))
	if err != nil || page.Records != 1 || page.Duplicates != 1 {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestConnectionsAreFewAndBounded(t *testing.T) {
	server := testpostgres.Shared(t)
	s := open(t, server.Schema(t, url.Values{"application_name": {"bounded"}, "statement_timeout": {"1234ms"}}))
	var group errgroup.Group
	for range 32 {
		group.Go(func() error {
			_, err := s.readers.ExecContext(t.Context(), "SELECT pg_sleep(0.02)")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	var connections int
	var timeout, idle string
	row := s.readers.QueryRowContext(t.Context(), `SELECT count(*), current_setting('statement_timeout'),
		current_setting('idle_in_transaction_session_timeout') FROM pg_stat_activity WHERE application_name = 'bounded'`)
	if err := row.Scan(&connections, &timeout, &idle); err != nil {
		t.Fatal(err)
	}
	if connections > 1+readersMax || timeout != "1234ms" || idle != "10s" {
		t.Errorf("%d connections, of which a statement may take %s and a rest in a transaction %s", connections, timeout, idle)
	}
	if _, err := s.readers.ExecContext(t.Context(), "DELETE FROM feeds"); err == nil {
		t.Error("a reader wrote")
	}
}
