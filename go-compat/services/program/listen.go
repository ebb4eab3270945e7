package program

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"syscall"

	"treasurehunt.example/go-compat/playerstate/serve"
)

// addressForm is how addresses are written.
const addressForm = "unix:PATH, tcp:HOST:PORT or HOST:PORT"

// Listen listens on addr. The socket that a process left behind at its death is
// replaced; one that is served, and a file that is no socket, are refused.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	if _, _, err := splitAddress(addr); err != nil {
		return nil, Exit(ExitUsage, "an address %w", err)
	}
	listener, err := serve.Listen(ctx, addr)
	switch {
	case err == nil:
		return listener, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, Exit(ExitLocked, "%w", err)
	case errors.Is(err, fs.ErrNotExist):
		return nil, Exit(ExitSettings, "%w; make the socket's directory first", err)
	default: // not an address that this process can have
		return nil, Exit(ExitSettings, "%w", err)
	}
}

// ListenAll listens on every address, or on none.
func ListenAll(ctx context.Context, addrs ...string) ([]net.Listener, error) {
	var listeners []net.Listener
	for _, addr := range addrs {
		listener, err := Listen(ctx, addr)
		if err != nil {
			CloseAll(listeners)
			return nil, err
		}
		listeners = append(listeners, listener)
	}
	return listeners, nil
}

// CloseAll closes listeners. Those that are closed already stay so.
func CloseAll(listeners []net.Listener) {
	for _, listener := range listeners {
		_ = listener.Close() // there is nothing to lose in a listener
	}
}

// Target is addr with its network named, unix:PATH or tcp:HOST:PORT, as the
// sidecar's client takes it. addr was found good by [Address].
func Target(addr string) string {
	if strings.HasPrefix(addr, "unix:") || strings.HasPrefix(addr, "tcp:") {
		return addr
	}
	return "tcp:" + addr
}

func splitAddress(addr string) (network, place string, err error) {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		// The kernel keeps 108 bytes for a path, the last of them zero.
		if path == "" || len(path) > 107 {
			return "", "", fmt.Errorf("must have a socket's path of 1 to 107 bytes, not of %d: %q", len(path), addr)
		}
		return "unix", path, nil
	}
	place = strings.TrimPrefix(addr, "tcp:")
	_, port, err := net.SplitHostPort(place)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", "", fmt.Errorf("must be %s, not %q", addressForm, addr)
	}
	return "tcp", place, nil
}
