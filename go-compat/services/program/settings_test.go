package program

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type shop struct {
	tickets int
	feeds   []string
	wait    time.Duration
	store   string
}

// execute runs a small program and gives its code, its settings and what it wrote.
func execute(t *testing.T, args ...string) (code int, got shop, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := Program{
		Name:  "game-shop",
		Short: "A program of the tests",
		Settings: []Setting{
			Int(&got.tickets, "tickets-max", 100, "open tickets", Between(1, 1000)),
			Strings(&got.feeds, "feed", nil, "feeds", Each(Address())),
			Duration(&got.wait, "wait", time.Second, "how long to wait", Between(0, time.Minute)),
			String(&got.store, "store", "stats.db", "where to keep it"),
		},
		Run: func(context.Context, *Process) error { return nil },
	}
	code = p.Execute(t.Context(), args, &out, &errs)
	return code, got, out.String(), errs.String()
}

func settingsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheStrongestSourceWins(t *testing.T) {
	path := settingsFile(t, "tickets-max = 2\nwait = \"2s\"\nstore = \"file.db\"\nfeed = [\"unix:/a\", \"tcp:b:1\"]\n")
	t.Setenv("GAME_SHOP_TICKETS_MAX", "3")
	t.Setenv("GAME_SHOP_WAIT", "3s")
	code, got, _, stderr := execute(t, "--config", path, "--tickets-max", "4")
	if code != ExitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if got.tickets != 4 || got.wait != 3*time.Second || got.store != "file.db" || strings.Join(got.feeds, " ") != "unix:/a tcp:b:1" {
		t.Fatalf("got %+v; want tickets of the command line, wait of the environment, store and feeds of the file", got)
	}
}

func TestTheEnvironmentMaySayWhereTheFileIs(t *testing.T) {
	t.Setenv("GAME_SHOP_CONFIG", settingsFile(t, `store = "file.db"`))
	if code, got, _, stderr := execute(t); code != ExitOK || got.store != "file.db" {
		t.Fatalf("code %d, store %q: %s", code, got.store, stderr)
	}
}

func TestWrongSettingsAreRefusedByName(t *testing.T) {
	for _, test := range []struct {
		name string
		file string
		env  [2]string
		args []string
		code int
		says []string
	}{
		{name: "unknown key", file: "ticket-max = 1", code: ExitSettings, says: []string{`"ticket-max"`, "did you mean tickets-max?"}},
		{name: "table", file: "[tickets]\nmax = 1", code: ExitSettings, says: []string{`"tickets.max"`, "did you mean tickets-max?"}},
		{name: "config in the file", file: `config = "x"`, code: ExitSettings, says: []string{`"config"`}},
		{name: "file out of bounds", file: "tickets-max = 0", code: ExitSettings, says: []string{"tickets-max", "1 to 1000", "shop.toml"}},
		{name: "file of the wrong type", file: `tickets-max = "many"`, code: ExitSettings, says: []string{"tickets-max", "many"}},
		{name: "list for one value", file: `tickets-max = [1, 2]`, code: ExitSettings, says: []string{"one value"}},
		{name: "not TOML", file: `tickets-max`, code: ExitSettings, says: []string{"shop.toml"}},
		{name: "env out of bounds", env: [2]string{"GAME_SHOP_WAIT", "2h"}, code: ExitSettings, says: []string{"GAME_SHOP_WAIT", "0s to 1m0s"}},
		{name: "flag out of bounds", args: []string{"--tickets-max", "1001"}, code: ExitUsage, says: []string{"--tickets-max", "1 to 1000", "1001"}},
		{name: "flag of the wrong type", args: []string{"--wait", "soon"}, code: ExitUsage, says: []string{"wait", "soon"}},
		{name: "bad address", args: []string{"--feed", "nowhere"}, code: ExitUsage, says: []string{"--feed", "HOST:PORT"}},
		{name: "one bad address of two", args: []string{"--feed", "tcp:a:1,nowhere"}, code: ExitUsage, says: []string{`not "nowhere"`}},
		{name: "socket path too long", args: []string{"--feed", "unix:/" + strings.Repeat("x", 107)}, code: ExitUsage, says: []string{"--feed must have a socket's path of 1 to 107 bytes, not of 108", `"unix:/xx`}},
		{name: "unknown flag", args: []string{"--ticket-max", "1"}, code: ExitUsage, says: []string{"did you mean --tickets-max?"}},
		{name: "unknown command", args: []string{"confg"}, code: ExitUsage, says: []string{"confg", "config"}},
		{name: "log level", args: []string{"--log-level", "loud"}, code: ExitUsage, says: []string{"debug, info, warn, error"}},
		{name: "no file", args: []string{"--config", "/nowhere/shop.toml"}, code: ExitSettings, says: []string{"/nowhere/shop.toml"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := test.args
			if test.file != "" {
				args = append(args, "--config", settingsFile(t, test.file))
			}
			if test.env[0] != "" {
				t.Setenv(test.env[0], test.env[1])
			}
			code, _, _, stderr := execute(t, args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for _, want := range test.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("%q does not say %q", stderr, want)
				}
			}
		})
	}
}

func TestAVariableOfNoSettingIsWarnedOf(t *testing.T) {
	t.Setenv("GAME_SHOP_SERVICE_HOST", "10.0.0.1")
	t.Setenv("GAME_SHOP_WAITS", "1s")
	code, _, _, stderr := execute(t)
	if code != ExitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"GAME_SHOP_SERVICE_HOST is not a setting", "did you mean GAME_SHOP_WAIT?"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q does not say %q", stderr, want)
		}
	}
}

func TestConfigPrintShowsEverySettingWithItsSource(t *testing.T) {
	t.Setenv("GAME_SHOP_WAIT", "3s")
	path := settingsFile(t, `feed = ["tcp:b:1"]`)
	code, _, stdout, stderr := execute(t, "config", "print", "--config", path, "--store", "postgres://me:hidden@db/stats")
	if code != ExitOK {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for name, want := range map[string]string{
		"tickets-max": "# default", "feed": "# file " + path, "wait": "# environment GAME_SHOP_WAIT",
		"store": "# command line", "admin": "# default", "drain-within": "# default",
	} {
		line := lineOf(stdout, name+" = ")
		if !strings.HasSuffix(line, want) {
			t.Errorf("%q does not end in %q", line, want)
		}
	}
	if strings.Contains(stdout, "hidden") {
		t.Error("a password is shown")
	}
	if code, got, _, stderr := execute(t, "--config", settingsFile(t, stdout)); code != ExitOK || got.feeds[0] != "tcp:b:1" {
		t.Errorf("what was printed cannot be read again: %d %s", code, stderr)
	}
}

func lineOf(text, prefix string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func TestSettingsThatContradictEachOtherAreAUsageErrorButArePrinted(t *testing.T) {
	var out, errs bytes.Buffer
	p := Program{
		Name:  "shop",
		Check: func() error { return errors.New("--sidecar needs --ledger") },
		Run:   func(context.Context, *Process) error { t.Error("it ran"); return nil },
	}
	if code := p.Execute(t.Context(), nil, &errs, &errs); code != ExitUsage || !strings.Contains(errs.String(), "needs --ledger") {
		t.Fatalf("code %d: %s", code, errs.String())
	}
	if code := p.Execute(t.Context(), []string{"config", "print"}, &out, &errs); code != ExitOK || lineOf(out.String(), "admin = ") == "" {
		t.Fatalf("config print: code %d: %s", code, errs.String())
	}
}
