package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// socketMode keeps a Unix socket to its owner and group.
const socketMode fs.FileMode = 0o660

// Listen opens "tcp:HOST:PORT", "HOST:PORT" or "unix:PATH". A socket file that
// nobody answers on is a leftover and is replaced; one that is served is not.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return listenUnix(ctx, path)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", strings.TrimPrefix(address, "tcp:"))
	if err != nil {
		return nil, fmt.Errorf("listen on %q (tcp:HOST:PORT or unix:PATH): %w", address, err)
	}
	return listener, nil
}

func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if err := removeLeftover(ctx, path); err != nil {
		return nil, err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on unix:%s: %w", path, err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("listen on unix:%s: %w", path, err)
	}
	return listener, nil
}

func removeLeftover(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil // nothing there; anything else shows when listening
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("listen on unix:%s: there is a file that is no socket; move it away", path)
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) { // also when it is too busy to answer
		return fmt.Errorf("listen on unix:%s: another process serves it: %w", path, syscall.EADDRINUSE)
	}
	return os.Remove(path)
}

// capped closes what it accepts over its limit. A client sees at once that it is
// not served, where an unaccepted connection would leave it waiting.
type capped struct {
	net.Listener
	most int64
	open atomic.Int64
	log  *slog.Logger
}

func newCapped(listener net.Listener, most int64, log *slog.Logger) *capped {
	return &capped{Listener: listener, most: most, log: log}
}

func (c *capped) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c.open.Add(1) <= c.most {
			return &counted{Conn: conn, release: sync.OnceFunc(func() { c.open.Add(-1) })}, nil
		}
		c.open.Add(-1)
		c.log.Warn("a connection was closed: this listener is at its limit", "limit", c.most, "address", c.Addr().String())
		_ = conn.Close()
	}
}

// counted gives its place back when it is closed, once.
type counted struct {
	net.Conn
	release func()
}

func (c *counted) Close() error {
	c.release()
	return c.Conn.Close()
}
