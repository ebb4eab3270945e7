package arm

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"treasurehunt.example/go-compat/services/localshard"
	"treasurehunt.example/go-compat/sidecar"
)

// Sidecar is player-state behind its own client, as services use it.
type Sidecar struct {
	BinDir     string
	Durability string
}

// Name implements [Arm].
func (s Sidecar) Name() string { return s.Durability }

// Version implements [Arm].
func (s Sidecar) Version() (string, error) {
	version, err := versionOf(filepath.Join(s.BinDir, "player-state"))
	if err != nil {
		return "", fmt.Errorf("%w: build it with `make build`", err)
	}
	return version, nil
}

// Start implements [Arm].
func (s Sidecar) Start(ctx context.Context, dir string) (*Running, error) {
	target, data := "unix:"+filepath.Join(dir, "s.sock"), filepath.Join(dir, "data")
	process, err := localshard.Run(ctx, localshard.Config{BinDir: s.BinDir, Dir: dir}, "player-state", "serve",
		"--listen", target, "--data-dir", data, "--durability", s.Durability, "--claim", "auto")
	if err != nil {
		return nil, err
	}
	client, err := sidecar.Dial(sidecar.Config{Target: target})
	if err != nil {
		return nil, errors.Join(err, process.Kill())
	}
	return &Running{Engine: client, Data: data, process: process, close: client.Close}, nil
}

func versionOf(program string) (string, error) {
	text, err := exec.Command(program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", program, err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(first), nil
}
