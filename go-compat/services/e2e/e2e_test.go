//go:build e2e

// Package e2e runs the real binaries together: both engines compared, and a whole
// shard through what operators and faults do to it. `make test-e2e` builds the
// binaries and runs it; BIN_DIR says where they are.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"treasurehunt.example/go-compat/services/internal/shardtest"
	"treasurehunt.example/go-compat/services/localshard"
)

var long = flag.Bool("long", false, "run the comparisons at length")

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("BIN_DIR") == "" {
		fmt.Fprintln(os.Stderr, "BIN_DIR is not set: run `make test-e2e`, which builds the binaries and says where they are")
		os.Exit(2)
	}
	os.Exit(m.Run())
}

func binary(name string) string { return filepath.Join(os.Getenv("BIN_DIR"), name) }

// startShard runs a shard for the length of a test.
func startShard(t *testing.T, config localshard.Config) *localshard.Shard {
	t.Helper()
	return shardtest.Start(t, config)
}
