//go:build e2e

// Package adopting runs what an adopter reads: the callers in examples/, the
// commands and code of docs/adopting.md, and the README's Go example, against the
// real binaries. `make test-examples` builds those and runs it; BIN_DIR says where
// they are.
package adopting

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
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
