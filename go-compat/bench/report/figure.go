package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Figure is one number that the bench is run for.
type Figure struct {
	Name string `json:"name"` // suite/figure, as it stands in the line
	What string `json:"what"` // in words, for the table
	// Value is the median of the rounds' ratios, or the number itself where there
	// is nothing to compare it with. Min and Max are those of the rounds, or parts.
	Value float64 `json:"value"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Unit  string  `json:"unit"` // of Value, or of what a ratio was made from
	// Rounds are what a ratio was made from; A and B are the names of the two arms.
	A      string  `json:"a,omitempty"`
	B      string  `json:"b,omitempty"`
	Rounds []Round `json:"rounds,omitempty"`
	// Errors is how many commands were not answered while it was measured. They are
	// in no latency and in no rate.
	Errors uint64 `json:"errors"`
	Goal   Goal   `json:"goal"`
	// NotReached says why the figure was not measured as its goal asks.
	NotReached string `json:"not_reached,omitempty"`
}

// Round is both arms once, one after the other.
type Round struct {
	A     float64 `json:"a"`
	B     float64 `json:"b"`
	Ratio float64 `json:"ratio"`
}

// Goal is what a figure is to be.
type Goal struct {
	Least *float64 `json:"least,omitempty"`
	Most  *float64 `json:"most,omitempty"`
}

// AtLeast is a goal that higher figures meet.
func AtLeast(value float64) Goal { return Goal{Least: &value} }

// AtMost is a goal that lower figures meet.
func AtMost(value float64) Goal { return Goal{Most: &value} }

func (g Goal) String() string {
	switch {
	case g.Least != nil:
		return "≥" + number(*g.Least)
	case g.Most != nil:
		return "≤" + number(*g.Most)
	}
	return "none"
}

func (g Goal) met(value float64) bool {
	return (g.Least == nil || value >= *g.Least) && (g.Most == nil || value <= *g.Most)
}

// Ratio makes the figure of a by b from the pairs of each round.
func Ratio(f Figure, a, b []float64) (Figure, error) {
	if len(a) != len(b) || len(a) == 0 {
		return f, fmt.Errorf("%s: %d rounds of %s and %d of %s: a ratio wants both in every round, once at least", f.Name, len(a), f.A, len(b), f.B)
	}
	var ratios []float64
	for i := range a {
		if b[i] == 0 {
			return f, fmt.Errorf("%s: %s did nothing in round %d, so there is no ratio", f.Name, f.B, i+1)
		}
		round := Round{A: a[i], B: b[i], Ratio: a[i] / b[i]}
		f.Rounds = append(f.Rounds, round)
		ratios = append(ratios, round.Ratio)
	}
	f.Value, f.Min, f.Max = Median(ratios), slices.Min(ratios), slices.Max(ratios)
	return f, nil
}

// Of makes a figure of what was measured once a round, or once, with nothing to compare
// it with.
func Of(f Figure, values ...float64) Figure {
	if len(values) == 0 {
		f.NotReached = "it was not measured"
		return f
	}
	f.Value, f.Min, f.Max = Median(values), slices.Min(values), slices.Max(values)
	return f
}

// Result says whether the goal is met: met, missed, not-reached, or none.
func (f Figure) Result() string {
	switch {
	case f.NotReached != "":
		return "not-reached"
	case f.Goal == Goal{}:
		return "none"
	case f.Goal.met(f.Value):
		return "met"
	}
	return "missed"
}

// Line is the figure as one line of name=value pairs.
func (f Figure) Line() string {
	var line strings.Builder
	fmt.Fprintf(&line, "bench %s ", f.Name)
	if f.IsRatio() {
		a, b := f.absolutes()
		fmt.Fprintf(&line, "ratio=%s min=%s max=%s a=%s b=%s", number(f.Value), number(f.Min), number(f.Max), number(a), number(b))
	} else {
		fmt.Fprintf(&line, "value=%s min=%s max=%s", number(f.Value), number(f.Min), number(f.Max))
	}
	fmt.Fprintf(&line, " unit=%s errors=%d goal=%s result=%s", f.Unit, f.Errors, f.Goal, f.Result())
	if f.NotReached != "" {
		fmt.Fprintf(&line, " why=%q", f.NotReached)
	}
	return line.String()
}

// IsRatio says that the figure compares two arms.
func (f Figure) IsRatio() bool { return len(f.Rounds) > 0 }

// absolutes are the medians of what both arms did.
func (f Figure) absolutes() (a, b float64) {
	var as, bs []float64
	for _, round := range f.Rounds {
		as, bs = append(as, round.A), append(bs, round.B)
	}
	return Median(as), Median(bs)
}

// Median of an even count is halfway between the two in the middle.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}

// number has three digits that count; more would say more than was measured.
func number(value float64) string {
	if value >= 100 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strconv.FormatFloat(value, 'g', 3, 64)
}
