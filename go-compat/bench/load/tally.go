package load

import "maps"

// Kind is what came of a command that was answered.
type Kind uint8

const (
	// Applied says that the command changed something, and was recorded.
	Applied Kind = iota
	// Rejected says that the rules forbade it.
	Rejected
)

// Tally counts commands by what came of them. Not safe for concurrent use.
type Tally struct {
	Applied  uint64 `json:"applied"`
	Rejected uint64 `json:"rejected"`
	// Errors counts what was not answered, or not by the rules, by its text.
	Errors map[string]uint64 `json:"errors,omitempty"`
}

// Count counts one command.
func (t *Tally) Count(kind Kind, err error) {
	switch {
	case err != nil:
		if t.Errors == nil {
			t.Errors = make(map[string]uint64)
		}
		t.Errors[t.errorName(err)]++
	case kind == Applied:
		t.Applied++
	default:
		t.Rejected++
	}
}

// errorNamesMax bounds the texts of errors that a tally tells apart.
const errorNamesMax = 20

func (t *Tally) errorName(err error) string {
	name := err.Error()
	if _, known := t.Errors[name]; !known && len(t.Errors) >= errorNamesMax {
		return "others"
	}
	return name
}

// Add adds what another tally counted.
func (t *Tally) Add(other Tally) {
	t.Applied += other.Applied
	t.Rejected += other.Rejected
	for name, count := range other.Errors {
		if t.Errors == nil {
			t.Errors = maps.Clone(other.Errors)
			break
		}
		t.Errors[name] += count
	}
}

// Answered is how many commands were answered by the rules.
func (t Tally) Answered() uint64 { return t.Applied + t.Rejected }

// Failed is how many were not.
func (t Tally) Failed() uint64 {
	var failed uint64
	for _, count := range t.Errors {
		failed += count
	}
	return failed
}

// AppliedShare is which part of the answered commands changed something.
func (t Tally) AppliedShare() float64 {
	return float64(t.Applied) / float64(max(t.Answered(), 1))
}
