// Package shardtest runs a shard of real processes, or one of them, for the length of
// a test. The environment variable BIN_DIR says where their programs are.
package shardtest

import (
	"context"
	"os"
	"testing"
	"time"

	"treasurehunt.example/go-compat/services/localshard"
)

const startLimit = 20 * time.Second

// Start runs what config asks for, and kills it when the test is over.
func Start(t testing.TB, config localshard.Config) *localshard.Shard {
	t.Helper()
	config.BinDir, config.Dir = os.Getenv("BIN_DIR"), Dir(t)
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
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

// Run runs one program without a shard around it, and kills it when the test is over.
// config.Dir is the caller's, as of [Dir].
func Run(t testing.TB, config localshard.Config, name string, args ...string) *localshard.Process {
	t.Helper()
	config.BinDir = os.Getenv("BIN_DIR")
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	process, err := localshard.Run(ctx, config, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := process.Kill(); err != nil {
			t.Error(err)
		}
	})
	return process
}

// Dir is a directory in which a Unix socket may lie: the path of t.TempDir is too
// long. It is kept when the test failed.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "shard")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs are kept in %s", dir)
			return
		}
		os.RemoveAll(dir)
	})
	return dir
}
