//go:build e2e

package e2e

import (
	"os/exec"
	"strings"
	"testing"

	"treasurehunt.example/go-compat/services/internal/shardtest"
)

// TestDemoEndsCleanWithoutATerminal runs what `make demo` runs, shorter.
func TestDemoEndsCleanWithoutATerminal(t *testing.T) {
	t.Parallel()
	dir := shardtest.Dir(t)
	out, err := exec.Command(binary("demo"), "--quick", "--bin-dir", binary(""), "--dir", dir, "--admin", "").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"flag at 100 % of new hunts", "the sidecar was killed (SIGKILL)", "audit: CLEAN", "lost 0, doubled 0", "grpcurl"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the demo does not say %q:\n%s", want, out)
		}
	}
}
