package playerstatetest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"

	"google.golang.org/grpc/test/bufconn"

	"treasurehunt.example/go-compat/playerstate/serve"
)

// pipeBytes is what a connection holds that nobody has read yet.
const pipeBytes = 1 << 20

// wire serves a fake in memory, once somebody dials it. Safe for concurrent use.
type wire struct {
	mu       sync.Mutex // guards what follows
	listener *bufconn.Listener
	server   *serve.Server
	conns    map[net.Conn]struct{}
	isDown   bool
}

// Target is the fake's address, for a client that is given [Fake.Dial] too.
func (f *Fake) Target() string { return "tcp:playerstatetest:1" }

// Dial connects to the fake in memory. It is the Dialer of a sidecar.Config, and
// what grpc.WithContextDialer wants.
func (f *Fake) Dial(ctx context.Context, _ string) (net.Conn, error) {
	listener, err := f.wire.listen(f)
	if err != nil {
		return nil, err
	}
	conn, err := listener.DialContext(ctx)
	if err != nil {
		return nil, err
	}
	return f.wire.keep(conn)
}

// Cut cuts the connections that there are. A call under way is lost, and whether it
// was done is not known to its caller. Clients connect again by themselves.
func (f *Fake) Cut() { f.wire.cut() }

// listen starts the server with the first connection.
func (w *wire) listen(f *Fake) (*bufconn.Listener, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isDown {
		return nil, errors.New("playerstatetest: connection refused: the fake is killed")
	}
	if w.server != nil {
		return w.listener, nil
	}
	server, err := serve.NewServer(serve.Config{Commander: f, Feeder: f, Mover: f, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	w.listener, w.server, w.conns = bufconn.Listen(pipeBytes), server, map[net.Conn]struct{}{}
	go func() { _ = server.Serve(w.listener) }() // ends with stop
	return w.listener, nil
}

// keep remembers a connection until it is closed.
func (w *wire) keep(conn net.Conn) (net.Conn, error) {
	kept := &keptConn{Conn: conn, wire: w}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isDown {
		return nil, errors.Join(errors.New("playerstatetest: connection refused: the fake is killed"), conn.Close())
	}
	w.conns[kept] = struct{}{}
	return kept, nil
}

func (w *wire) cut() {
	w.mu.Lock()
	conns := w.conns
	w.conns = map[net.Conn]struct{}{}
	w.mu.Unlock()
	for conn := range conns {
		_ = conn.Close()
	}
}

func (w *wire) down() {
	w.mu.Lock()
	w.isDown = true
	w.mu.Unlock()
	w.cut()
}

func (w *wire) up() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isDown = false
}

// stop ends the server, if there is one. Nothing is waited for that a test left in
// hand.
func (w *wire) stop() {
	w.down()
	if w.server == nil {
		return
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.server.Shutdown(over)
}

// keptConn is forgotten when it is closed.
type keptConn struct {
	net.Conn
	wire *wire
}

func (c *keptConn) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.conns, c)
	c.wire.mu.Unlock()
	return c.Conn.Close()
}
