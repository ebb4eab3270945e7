package program

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// life starts a program that has an admin socket, and gives its exit code when it is over.
func life(t *testing.T, run func(context.Context, *Process) error, args ...string) (admin *http.Client, code chan int) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "admin.sock")
	code = make(chan int, 1)
	p := Program{Name: "shop", Admin: "unix:" + socket, Run: run}
	go func() { code <- p.Execute(t.Context(), args, io.Discard, t.Output()) }()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}
	return &http.Client{Transport: transport}, code
}

func get(t *testing.T, admin *http.Client, path string) (status int, body string) {
	t.Helper()
	response, err := admin.Get("http://admin" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestAProgramIsReadyWhenItSaysSoAndDrainsOnSIGTERM(t *testing.T) {
	running, ready, draining, drained := make(chan *Process), make(chan bool), make(chan bool), make(chan bool)
	admin, code := life(t, func(ctx context.Context, p *Process) error {
		running <- p
		<-ready
		p.Ready.Started()
		p.Ready.Set("sidecar", "no connection yet")
		running <- p
		<-ctx.Done()
		draining <- true
		<-drained
		return nil
	})
	p := <-running
	if status, body := get(t, admin, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "process: starting") {
		t.Errorf("before it started: %d %s", status, body)
	}
	ready <- true
	<-running
	if status, body := get(t, admin, "/readyz"); status != http.StatusServiceUnavailable || body != "sidecar: no connection yet\n" {
		t.Errorf("with a part not ready: %d %s", status, body)
	}
	p.Ready.Set("sidecar", "")
	for path, want := range map[string]string{
		"/readyz": "ok", "/livez": "ok", "/metrics": "go_goroutines", "/version": `"program":"shop"`,
	} {
		if status, body := get(t, admin, path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-draining
	// The work learns of the signal when the kit does; the reason follows at once.
	for len(p.Ready.Reasons()) == 0 {
		time.Sleep(time.Millisecond)
	}
	if status, body := get(t, admin, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "draining") {
		t.Errorf("while it drains: %d %s", status, body)
	}
	drained <- true
	if got := <-code; got != ExitOK {
		t.Errorf("exit code %d, want 0", got)
	}
}

func TestAProgramThatDoesNotDrainIsEndedInTime(t *testing.T) {
	started, release := make(chan bool), make(chan bool)
	_, code := life(t, func(context.Context, *Process) error {
		started <- true
		<-release
		return nil
	}, "--drain-within", "10ms")
	defer close(release)
	<-started
	began := time.Now()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != ExitFailure {
		t.Errorf("exit code %d, want 1", got)
	}
	if took := time.Since(began); took > slack+time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestSIGHUPReloadsAndEndsNothing(t *testing.T) {
	started, reloaded := make(chan bool), make(chan bool)
	_, code := life(t, func(ctx context.Context, p *Process) error {
		p.OnReload(ctx, func() { reloaded <- true })
		started <- true
		<-ctx.Done()
		return nil
	})
	<-started
	for range 2 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		<-reloaded
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != ExitOK {
		t.Errorf("exit code %d", got)
	}
}

func TestAProgramThatReloadsNothingDrainsOnSIGHUP(t *testing.T) {
	started, drained := make(chan bool), false
	_, code := life(t, func(ctx context.Context, _ *Process) error {
		started <- true
		<-ctx.Done()
		drained = true
		return nil
	})
	<-started
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != ExitOK || !drained {
		t.Errorf("exit code %d, drained %v", got, drained)
	}
}

func TestTheReleaseThatTheLinkerSetIsTheVersion(t *testing.T) {
	was := release
	t.Cleanup(func() { release = was })
	release = "1.2.3"
	var stdout, stderr bytes.Buffer
	p := Program{Name: "shop", Run: func(context.Context, *Process) error { return nil }}
	for _, args := range [][]string{{"--version"}, nil} {
		if code := p.Execute(t.Context(), args, &stdout, &stderr); code != ExitOK {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
	if got := stdout.String(); got != "shop version 1.2.3\n" {
		t.Errorf("--version says %q", got)
	}
	if got := stderr.String(); !strings.Contains(got, "version=1.2.3") {
		t.Errorf("the log says %q", got)
	}
	answer := httptest.NewRecorder()
	newProcess("shop", common{}, newLogger(t.Output(), "info", "text")).
		adminHandler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/version", nil))
	if got := answer.Body.String(); !strings.Contains(got, `"version":"1.2.3"`) {
		t.Errorf("/version says %q", got)
	}
}

func TestTheErrorOfAProgramDecidesItsExitCode(t *testing.T) {
	for want, err := range map[int]error{
		ExitFailure:    errors.New("broken"),
		ExitDependency: Exit(ExitDependency, "no sidecar at %s", "unix:/x"),
		ExitLocked:     errors.Join(Exit(ExitLocked, "held"), errors.New("more")),
	} {
		var stderr bytes.Buffer
		p := Program{Name: "shop", Run: func(context.Context, *Process) error { return err }}
		if got := p.Execute(t.Context(), nil, io.Discard, &stderr); got != want {
			t.Errorf("%v: exit code %d, want %d", err, got, want)
		}
		if !strings.Contains(stderr.String(), err.Error()) {
			t.Errorf("%q does not say %q", stderr.String(), err)
		}
	}
}

func TestAFurtherCommandFailsWithoutRunningTheProgram(t *testing.T) {
	p := Program{
		Name: "shop",
		Run:  func(context.Context, *Process) error { t.Error("it ran"); return nil },
		Commands: []*cobra.Command{{
			Use: "replay FILE", Args: cobra.ExactArgs(1),
			RunE: func(*cobra.Command, []string) error { return Exit(ExitData, "torn") },
		}},
	}
	for want, args := range map[int][]string{ExitData: {"replay", "x"}, ExitUsage: {"replay"}} {
		if got := p.Execute(t.Context(), args, io.Discard, io.Discard); got != want {
			t.Errorf("%v: exit code %d, want %d", args, got, want)
		}
	}
}

func TestDrainingLetsARequestInHandFinishAndCutsALateOneOff(t *testing.T) {
	for _, late := range []bool{false, true} {
		p := newProcess("shop", common{drainWithin: 50 * time.Millisecond}, newLogger(t.Output(), "info", "text"))
		listener, err := Listen(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		inHand := make(chan bool)
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			inHand <- true
			if late {
				<-r.Context().Done() // until it is cut off
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		served, answered := make(chan error), make(chan error)
		go func() { served <- p.ServeHTTP(ctx, listener, handler) }()
		go func() {
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			response, err := client.Get("http://" + listener.Addr().String())
			if err == nil {
				response.Body.Close()
			}
			answered <- err
		}()
		<-inHand
		cancel()
		if err := <-answered; (err != nil) != late {
			t.Errorf("late %v: the caller got %v", late, err)
		}
		if err := <-served; err != nil {
			t.Errorf("late %v: %v", late, err)
		}
	}
}
