package localshard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Process is one program of the shard. Safe for concurrent use, but for
// Restart, which wants the process to itself.
type Process struct {
	Name  string
	Admin string // host:port of its /livez, /readyz, /metrics and /version

	path string
	args []string
	env  []string
	log  string

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd is gone; waitErr is set before
	err    error
}

// PID is the id of the process that runs now, or ran last.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// LogPath is the file that the process writes its log to.
func (p *Process) LogPath() string { return p.log }

func (p *Process) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own copy
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), p.env...)
	// A Ctrl-C in the terminal goes to the demo alone, which stops its children in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	p.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		p.err = cmd.Wait()
		close(exited)
	}(p.cmd, p.exited)
	return nil
}

// awaitReady returns when /readyz answers 200, or says why it never did.
func (p *Process) awaitReady(ctx context.Context) error {
	client := http.Client{Timeout: time.Second}
	last := "no answer yet"
	for {
		response, err := client.Get("http://" + p.Admin + "/readyz")
		if err == nil {
			body, _ := io.ReadAll(io.LimitReader(response.Body, 1024))
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			last = strings.TrimSpace(string(body))
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended before it was ready: %v\n%s", p.Name, p.err, p.logTail())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%s): %w\n%s", p.Name, last, ctx.Err(), p.logTail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Metrics reads what /metrics shows now, by name.
func (p *Process) Metrics(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, fmt.Errorf("the metrics of %s: %w", p.Name, err)
	}
	return families, nil
}

// Restart starts the process again with the same arguments, and returns when it is ready.
func (p *Process) Restart(ctx context.Context) error {
	select {
	case <-p.exited:
	default:
		return fmt.Errorf("%s still runs", p.Name)
	}
	if err := p.start(); err != nil {
		return err
	}
	return p.awaitReady(ctx)
}

// Exited is closed when the process is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Kill ends the process at once, as a crash would, and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	return nil
}

// Pause stops the process in its tracks, as a hang would; Resume lets it go on.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume is the end of Pause.
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT) }

// Stop asks the process to end and waits for it, at most until ctx is over;
// then it is killed. An exit code other than 0 is an error.
func (p *Process) Stop(ctx context.Context) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
		if p.err != nil {
			return fmt.Errorf("%s: %w\n%s", p.Name, p.err, p.logTail())
		}
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s did not stop: %w", p.Name, ctx.Err()), p.Kill())
	}
}

func (p *Process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.Name, err)
	}
	return nil
}

func (p *Process) logTail() string {
	const tail = 2048
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(text) > tail {
		text = text[len(text)-tail:]
	}
	return fmt.Sprintf("the end of %s:\n%s", p.log, text)
}

func program(binDir, name string) (string, error) {
	path := filepath.Join(binDir, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: build it with `make build` or `make build-test`", err)
	}
	return path, nil
}
