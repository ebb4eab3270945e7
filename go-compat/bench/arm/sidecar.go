package arm

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

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
	server, err := SidecarServer(s.BinDir, "--data-dir", filepath.Join(dir, dataName), "--durability", s.Durability).Start(ctx, dir, AnyCore)
	if err != nil {
		return nil, err
	}
	client, err := sidecar.Dial(sidecar.Config{Target: server.Target()})
	if err != nil {
		return nil, errors.Join(err, server.process.Kill())
	}
	return &Running{Engine: client, Data: server.Data, process: server.process, close: client.Close}, nil
}

func versionOf(program string) (string, error) {
	text, err := exec.Command(program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", program, err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(first), nil
}
