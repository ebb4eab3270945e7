// Package skipped has tests skipped aloud. What a machine lacks leaves a hole in
// what was tested; `make test` counts these holes at its end and names them.
package skipped

import (
	"fmt"
	"os"
	"testing"
)

// file is the environment variable that names where skips are kept, one a line.
// Tests in other languages add their lines likewise.
const file = "SKIPPED_FILE"

// Test skips a test for what the machine lacks: a sentence that says what, and
// how to have it.
func Test(t testing.TB, lacks string) {
	t.Helper()
	if err := keep(os.Getenv(file), t.Name(), lacks); err != nil {
		t.Fatal(err)
	}
	t.Skipf("SKIPPED: %s", lacks)
}

// keep adds a line; appends of one line each do not mix.
func keep(path, test, lacks string) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(f, "%s: %s\n", test, lacks); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
