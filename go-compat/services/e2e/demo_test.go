//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestDemoEndsCleanWithoutATerminal runs what `make demo` runs, shorter.
func TestDemoEndsCleanWithoutATerminal(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "demo") // t.TempDir is too long for a Unix socket
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(binary("demo"), "--quick", "--bin-dir", binary(""), "--dir", dir, "--admin", "").CombinedOutput()
	if err != nil {
		t.Fatalf("%v; logs are kept in %s\n%s", err, dir, out)
	}
	os.RemoveAll(dir)
	for _, want := range []string{"flag at 100 % of new hunts", "audit: CLEAN", "lost 0, doubled 0", "grpcurl"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
}
