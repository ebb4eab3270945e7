// Package testpostgres runs a real Postgres server for tests, from Debian's
// package, in a directory of its own and on a unix socket only.
package testpostgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"treasurehunt.example/go-compat/internal/skipped"
)

// Locked is the one role that needs a password.
const (
	Locked   = "locked"
	Password = "secret"
)

// Server is a server that a test can stop and start. Not safe for concurrent use.
type Server struct {
	dir, binaries string
	account       *syscall.SysProcAttr
	running       *exec.Cmd // nil: stopped
}

var (
	once     sync.Once
	shared   *Server
	failure  error
	schemata atomic.Int32
)

// Shared is the server that the tests of a package share. It skips the test where
// there is no Postgres. The package's TestMain calls [Close].
func Shared(t testing.TB) *Server {
	t.Helper()
	binaries := binaries()
	if binaries == "" {
		skipped.Test(t, "no PostgreSQL server, 15 or newer, is installed; scripts/install-postgres does it, as root")
	}
	once.Do(func() {
		if shared, failure = create(binaries); failure == nil {
			failure = shared.Start()
		}
		if failure == nil {
			failure = execIn(context.Background(), fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s'", Locked, Password), shared.DSN(nil))
		}
	})
	if failure != nil {
		t.Fatal(failure)
	}
	return shared
}

// Close ends the shared server, if there is one, and takes away what it wrote.
func Close() {
	if shared == nil {
		return
	}
	if err := errors.Join(shared.Stop(), os.RemoveAll(shared.dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// oldest is the first version of the server that the store works with.
const oldest = 15

// binaries is the directory of the newest server that Debian's packages installed.
func binaries() (dir string) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is well formed
	newest := oldest - 1
	for _, initdb := range found {
		bin := filepath.Dir(initdb)
		if version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && version > newest {
			dir, newest = bin, version
		}
	}
	return dir
}

// create makes a server that is not started. On an error nothing is left of it.
func create(binaries string) (*Server, error) {
	dir, err := os.MkdirTemp("", "postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, binaries: binaries, account: &syscall.SysProcAttr{}}
	if err := s.initialize(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// initialize makes a cluster of which nothing is trusted to be as C has it: text is
// ordered as people do.
func (s *Server) initialize() error {
	if os.Getuid() == 0 { // as whom it refuses to run
		if err := s.runAs("postgres", "nobody"); err != nil {
			return err
		}
	}
	initdb := s.command("initdb", "--auth=trust", "--username=tester", "--encoding=UTF8", "--no-sync", "--no-instructions",
		"--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en", "--pgdata", filepath.Join(s.dir, "data"))
	if output, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, output)
	}
	access := "local all " + Locked + " scram-sha-256\nlocal all all trust\n"
	return os.WriteFile(filepath.Join(s.dir, "data", "pg_hba.conf"), []byte(access), 0o600) // which keeps its owner
}

// runAs has the server run as the first of some accounts that there is.
func (s *Server) runAs(names ...string) error {
	var errs []error
	for _, name := range names {
		account, err := user.Lookup(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		uid, _ := strconv.Atoi(account.Uid) // numbers, on Linux
		gid, _ := strconv.Atoi(account.Gid)
		s.account.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return os.Chown(s.dir, uid, gid)
	}
	return errors.Join(errs...)
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.binaries, name), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, s.account
	cmd.Env = []string{"PATH=" + s.binaries, "LC_ALL=C.UTF-8"}
	return cmd
}

// Start starts it, if it is not running, and returns when it answers.
func (s *Server) Start() error {
	if s.running != nil {
		return nil
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.command("postgres", "-D", "data", "-k", s.dir, "-c", "listen_addresses=")
	cmd.Stdout, cmd.Stderr = log, log
	attributes := *s.account
	attributes.Pdeathsig = syscall.SIGQUIT // at once, should the test die
	cmd.SysProcAttr = &attributes
	if err := cmd.Start(); err != nil {
		return err
	}
	s.running = cmd
	db, err := sql.Open("pgx", s.DSN(nil))
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Stop ends it as an operator would who does not wait for its clients.
func (s *Server) Stop() error { return s.end(syscall.SIGINT) }

// Crash ends it without a word to its clients, so that it has to recover.
func (s *Server) Crash() error { return s.end(syscall.SIGQUIT) }

func (s *Server) end(signal syscall.Signal) error {
	if s.running == nil {
		return nil
	}
	if err := s.running.Process.Signal(signal); err != nil {
		return err
	}
	_ = s.running.Wait() // it was told to end; how it says so is of no interest
	s.running = nil
	return nil
}

// DSN names the server's database, with parameters.
func (s *Server) DSN(parameters url.Values) string {
	query := url.Values{"host": {s.dir}}
	for key, values := range parameters {
		query[key] = values
	}
	return "postgres://tester@/postgres?" + query.Encode()
}

// Schema makes an empty schema, which is to a store what a database is, and gives
// the DSN that names it.
func (s *Server) Schema(t testing.TB, parameters url.Values) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", schemata.Add(1))
	s.Exec(t, "CREATE SCHEMA "+name)
	query := url.Values{"search_path": {name}}
	for key, values := range parameters {
		query[key] = values
	}
	return s.DSN(query)
}

// Exec runs statements in the database, or in the schema that a DSN names.
func (s *Server) Exec(t testing.TB, statements string, dsn ...string) {
	t.Helper()
	if err := execIn(t.Context(), statements, append(dsn, s.DSN(nil))[0]); err != nil {
		t.Fatal(err)
	}
}

func execIn(ctx context.Context, statements, dsn string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, statements)
	return err
}
