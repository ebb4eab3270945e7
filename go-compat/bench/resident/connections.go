package resident

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"

	"treasurehunt.example/go-compat/bench/account"
	"treasurehunt.example/go-compat/bench/arm"
	"treasurehunt.example/go-compat/bench/report"
)

// Idle is what a server takes with so many idle connections.
type Idle struct {
	Connections   int   `json:"connections"`
	ResidentBytes int64 `json:"resident_bytes"`
}

// Connections is the suite of what an idle connection takes: the slope between the
// fewest and the most.
func Connections(ctx context.Context, config Config, r *report.Report, log *slog.Logger) error {
	b := &bench{config, "connections", r, log}
	if err := b.connections(ctx); err != nil {
		return fmt.Errorf("%s: %w", b.suite, err)
	}
	return nil
}

// filesBeside are the descriptors that a process has beside its connections.
const filesBeside = 1000

func (b *bench) connections(ctx context.Context) error {
	most := b.Connections[len(b.Connections)-1]
	figure := report.Figure{
		Name: "idle", What: fmt.Sprintf("what an idle connection takes: the slope of the sidecar's resident memory to %d of them", most), Unit: "KiB", Goal: report.AtMost(32),
	}
	if err := allowFiles(uint64(most + filesBeside)); err != nil {
		figure.NotReached = err.Error()
		b.add(figure)
		return nil
	}
	server := arm.SidecarServer(b.BinDir, "--connections-max", strconv.Itoa(most+1))
	return server.With(ctx, b.Dir, "connected", arm.AnyCore, func(serving *arm.Serving) error {
		var open idlers
		defer open.close()
		var seen []Idle
		for _, count := range b.Connections {
			if err := open.until(count, serving.Socket); err != nil {
				return err
			}
			bytes, err := account.Resident(serving.PID())
			if err != nil {
				return err
			}
			b.log.Info("connected", "suite", b.suite, "connections", count, "resident_mb", bytes/1e6)
			seen = append(seen, Idle{count, bytes})
		}
		b.ran("sidecar", 1, seen)
		first, last := seen[0], seen[len(seen)-1]
		b.add(report.Of(figure, float64(last.ResidentBytes-first.ResidentBytes)/float64(last.Connections-first.Connections)/1024))
		return nil
	})
}

// allowFiles lets this process, and those that it starts, have so many open files.
func allowFiles(count uint64) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	if limit.Cur >= count && limit.Max >= count {
		return unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) // so that Go passes it on to children as it is
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: count, Max: max(limit.Max, count)}); err != nil {
		return fmt.Errorf("%d open files are wanted, and the limit, %d, cannot be raised: %w", count, limit.Max, err)
	}
	return nil
}

// idlers are connections that have said what HTTP/2 wants to be said, and then only
// answer. A gRPC client for each would cost far more than what is measured.
type idlers []net.Conn

// until connects until there are so many.
func (i *idlers) until(count int, socket string) error {
	for len(*i) < count {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return err
		}
		*i = append(*i, conn)
		if err := greet(conn); err != nil {
			return fmt.Errorf("connection %d: %w", len(*i), err)
		}
	}
	return nil
}

// greet speaks until both sides know each other's settings, and goes on answering pings.
func greet(conn net.Conn) error {
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return err
	}
	framer := http2.NewFramer(conn, conn)
	framer.SetReuseFrames()
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	known := make(chan error, 1)
	go func() { known <- converse(framer, known) }()
	return <-known
}

// converse answers until the connection is closed. It says on known when the settings
// of both sides are.
func converse(framer *http2.Framer, known chan<- error) error {
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return errors.Join(errors.New("the server closed it"), err)
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if frame.IsAck() {
				known <- nil
				continue
			}
			err = framer.WriteSettingsAck()
		case *http2.PingFrame:
			if !frame.IsAck() {
				err = framer.WritePing(true, frame.Data)
			}
		}
		if err != nil {
			return err
		}
	}
}

func (i *idlers) close() {
	for _, conn := range *i {
		_ = conn.Close()
	}
}
