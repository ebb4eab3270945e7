package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Report is a whole run of the bench.
type Report struct {
	Machine Machine `json:"machine"`
	// Commit is what the bench was built from; Programs are the versions of what it ran.
	Commit   string            `json:"commit"`
	Programs map[string]string `json:"programs"`
	Command  []string          `json:"command"`
	Short    bool              `json:"short"` // too short to be quoted
	Started  time.Time         `json:"started"`
	Seconds  float64           `json:"seconds"`
	// LoadBefore and LoadAfter are the machine's load averages. What else ran before
	// the bench ran beside it too, as likely as not.
	LoadBefore string   `json:"load_average_before"`
	LoadAfter  string   `json:"load_average_after"`
	Figures    []Figure `json:"figures"`
	// Runs is every run of every arm.
	Runs []Run `json:"runs"`
}

// Run is one arm in one round.
type Run struct {
	Suite  string `json:"suite"`
	Arm    string `json:"arm"`
	Round  int    `json:"round"` // from 1
	Result any    `json:"result"`
}

// Start begins a report.
func Start(dir string, short bool) (*Report, error) {
	machine, err := thisMachine(dir)
	if err != nil {
		return nil, err
	}
	// Where it lies on this machine is nobody's business.
	command := append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...)
	return &Report{
		Machine: machine, Commit: commit(), Programs: make(map[string]string), Command: command,
		Short: short, Started: time.Now().UTC(), LoadBefore: loadAverage(),
	}, nil
}

// Finish notes what is known at the end.
func (r *Report) Finish() {
	r.Seconds, r.LoadAfter = time.Since(r.Started).Seconds(), loadAverage()
}

// WriteLines writes one line a figure.
func (r *Report) WriteLines(out io.Writer) error {
	for _, figure := range r.Figures {
		if _, err := fmt.Fprintln(out, figure.Line()); err != nil {
			return err
		}
	}
	return nil
}

// WriteFile writes everything as JSON.
func (r *Report) WriteFile(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// ReadFile reads what WriteFile wrote.
func ReadFile(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("%s is not a report of the bench: %w", path, err)
	}
	return &r, nil
}
