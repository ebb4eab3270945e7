package arm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"golang.org/x/sys/unix"

	"treasurehunt.example/go-compat/services/localshard"
)

// Server is a program that takes commands on a Unix socket.
type Server struct {
	program string
	// args are its arguments, given where its socket and its data are to be.
	args func(socket, data string) []string
	// admin says that it has an admin port that tells when it is ready; else it is
	// ready when its socket takes connections.
	admin bool
	// Env is added to its environment, as "NAME=value".
	Env []string
}

// Names of what servers have in their directories.
const (
	socketName = "s.sock"
	dataName   = "data"
)

// SidecarServer is player-state, which keeps hunts in memory unless args say more.
func SidecarServer(binDir string, args ...string) Server {
	return Server{program: filepath.Join(binDir, "player-state"), admin: true, args: func(socket, _ string) []string {
		return append([]string{"serve", "--listen", "unix:" + socket, "--claim", "auto"}, args...)
	}}
}

// RoutedServer is player-state in memory behind a router, whose ledger says which hunts
// it owns.
func RoutedServer(binDir string) Server {
	return Server{program: filepath.Join(binDir, "player-state"), admin: true, args: func(socket, _ string) []string {
		return []string{"serve", "--listen", "unix:" + socket}
	}}
}

// WithData is the server with a journal, durable as it is by default.
func (s Server) WithData() Server {
	args := s.args
	s.args = func(socket, data string) []string { return append(args(socket, data), "--data-dir", data) }
	return s
}

// LegacyServer is the Go engine behind grpc-go.
func LegacyServer(binDir string, env ...string) Server {
	return Server{program: filepath.Join(binDir, "legacy-engine"), admin: true, Env: env, args: func(socket, _ string) []string {
		return []string{"--listen", "unix:" + socket, "--claim", "auto"}
	}}
}

// EchoServer is examples/echo.rs, which speaks grpc or raw.
func EchoServer(binDir, speaks string) Server {
	return Server{program: filepath.Join(binDir, "echo"), args: func(socket, _ string) []string {
		return []string{speaks, socket}
	}}
}

// RedisServer is Debian's redis-server.
func RedisServer(args ...string) Server {
	return Server{program: "redis-server", args: func(socket, data string) []string {
		return append([]string{"--port", "0", "--unixsocket", socket, "--dir", data, "--save", ""}, args...)
	}}
}

// GoTuning is the environment of every Go process that is compared, servers and loads:
// the best of GOGC=100, 400 and off with GOMEMLIMIT (docs/benchmarks.md).
var GoTuning = []string{"GOGC=400"}

// AnyCore is for processes that are not pinned.
const AnyCore = ""

// Cores are where a server and its load run, each as a list for taskset(1).
type Cores struct{ Server, Load string }

// Apart has the server on the first half of the cores that this process may use and the
// load on the second, so that neither is in the other's way.
func Apart() (Cores, error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return Cores{}, fmt.Errorf("ask for the cores: %w", err)
	}
	return halves(allowed)
}

func halves(allowed unix.CPUSet) (Cores, error) {
	var cores []string
	for core := 0; len(cores) < allowed.Count(); core++ {
		if allowed.IsSet(core) {
			cores = append(cores, strconv.Itoa(core))
		}
	}
	half := len(cores) / 2
	if half == 0 {
		return Cores{}, fmt.Errorf("server and load are pinned apart, and there is %d core", len(cores))
	}
	return Cores{Server: strings.Join(cores[:half], ","), Load: strings.Join(cores[half:], ",")}, nil
}

// Serving is a server that takes commands.
type Serving struct {
	// Socket is where; Data is the directory of what it keeps.
	Socket, Data string

	process *localshard.Process
}

// Target is where the server listens, as clients of the shard have it.
func (s *Serving) Target() string { return "unix:" + s.Socket }

// PID is the server's process id.
func (s *Serving) PID() int { return s.process.PID() }

// Metrics reads what a server with an admin port shows now, by name.
func (s *Serving) Metrics(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	return s.process.Metrics(ctx)
}

// LogPath is the file of what the server writes on its outputs.
func (s *Serving) LogPath() string { return s.process.LogPath() }

// Start runs the server in dir, on the cores that taskset(1) takes as a list, or on
// [AnyCore], and returns when it is ready.
func (s Server) Start(ctx context.Context, dir, cores string) (*Serving, error) {
	dir, err := filepath.Abs(dir) // Redis goes into its data directory
	if err != nil {
		return nil, err
	}
	serving := &Serving{Socket: filepath.Join(dir, socketName), Data: filepath.Join(dir, dataName)}
	if err := os.MkdirAll(serving.Data, 0o755); err != nil {
		return nil, err
	}
	command, err := Pinned(cores, append([]string{s.program}, s.args(serving.Socket, serving.Data)...))
	if err != nil {
		return nil, err
	}
	config := localshard.Config{BinDir: filepath.Dir(command[0]), Dir: dir, Env: s.Env}
	start := launch
	if s.admin {
		start = localshard.Run
	}
	serving.process, err = start(ctx, config, filepath.Base(command[0]), command[1:]...)
	return serving, err
}

// With does with a server what the function of that name does with an arm.
func (s Server) With(ctx context.Context, dir, name, cores string, do func(*Serving) error) error {
	start := func(ctx context.Context, own string) (*Serving, error) { return s.Start(ctx, own, cores) }
	return within(ctx, dir, name, start, do)
}

// launch runs a program that has no admin port, and waits for its socket.
func launch(_ context.Context, config localshard.Config, name string, args ...string) (*localshard.Process, error) {
	process, err := localshard.Launch(config, name, args...)
	if err != nil {
		return nil, err
	}
	err = localshard.Await(startLimit, func() error {
		select {
		case <-process.Exited():
			return fmt.Errorf("it ended before it was ready; see %s", process.LogPath())
		default:
		}
		conn, err := net.Dial("unix", filepath.Join(config.Dir, socketName))
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, process.Kill())
	}
	return process, nil
}

// Pinned is the command as it is run on some cores alone. Its program is found.
func Pinned(cores string, command []string) ([]string, error) {
	if cores != AnyCore {
		command = append([]string{"taskset", "--cpu-list", cores}, command...)
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return nil, err
	}
	return append([]string{path}, command[1:]...), nil
}

func (s *Serving) kill() error { return s.process.Kill() }

// Stop ends the server, and says so if it did not end well. One without an admin port
// has nothing to end well, and is killed.
func (s *Serving) Stop() error {
	if s.process.Admin == "" {
		return s.process.Kill()
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return s.process.Stop(ctx)
}
