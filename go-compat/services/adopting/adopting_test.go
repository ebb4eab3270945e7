//go:build e2e

// Package adopting runs what an adopter reads: the callers in examples/, the
// commands and code of docs/adopting.md, and the README's Go example, against the
// real binaries. `make test-examples` builds those and runs it; BIN_DIR says where
// they are.
package adopting

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"treasurehunt.example/go-compat/services/localshard"
)

// root is the top of the repository, from here.
const root = "../../.."

func TestMain(m *testing.M) {
	if os.Getenv("BIN_DIR") == "" {
		fmt.Fprintln(os.Stderr, "BIN_DIR is not set: run `make test-examples`, which builds the binaries and says where they are")
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// startShard runs a shard, or a part of one, for the length of a test.
func startShard(t *testing.T, config localshard.Config) *localshard.Shard {
	t.Helper()
	config.BinDir, config.Dir = os.Getenv("BIN_DIR"), shortDir(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	shard, err := localshard.Start(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := shard.Kill(); err != nil {
			t.Error(err)
		}
	})
	return shard
}

// shortDir is a directory for the length of a test, in which a Unix socket may lie:
// the path of t.TempDir is too long.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "adopt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what was run is kept in %s", dir)
			return
		}
		os.RemoveAll(dir)
	})
	return dir
}

func absolute(t *testing.T, path ...string) string {
	t.Helper()
	whole, err := filepath.Abs(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
