package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// planted is the outage that the check is there to keep away: a call of the bridge
// under a lock, here two calls deep.
const planted = `package router

import (
	"context"
	"sync"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

type planted struct {
	mu      sync.Mutex
	sidecar *engine
}

func (p *planted) apply(ctx context.Context, cmd *pb.Command) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.sidecar.apply(ctx, cmd)
}

var _ = (*planted).apply
`

// The rest of the tests look at a seam made small. This one asks for the real one,
// in the way that CI does: the router itself, with one file more.
func TestGoVetFailsOnAViolationInTheRouter(t *testing.T) {
	goCompat, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tool := filepath.Join(dir, "nolockcall")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	vet := exec.Command("go", "vet", "-vettool="+tool, "-overlay="+overlay(t, dir, filepath.Join(goCompat, "router", "planted.go"), planted), "./router")
	vet.Dir = goCompat

	out, err := vet.CombinedOutput()

	if exit := new(exec.ExitError); !errors.As(err, &exit) {
		t.Fatalf("go vet found nothing (%v):\n%s", err, out)
	}
	const want = "p.mu is held (since line 16) over *router.engine.apply → a call of playerstate.Commander.Apply"
	if !strings.Contains(string(out), want) {
		t.Errorf("go vet said:\n%s\nwant: %s", out, want)
	}
}

// overlay makes the go command see text at path, where no such file is.
func overlay(t *testing.T, dir, path, text string) string {
	t.Helper()
	source, list := filepath.Join(dir, "planted.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{path: source}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{source: []byte(text), list: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return list
}
