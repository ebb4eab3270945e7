package audit

import (
	"fmt"
	"strings"
)

// differencesMax bounds how many differences a result spells out. All are counted.
const differencesMax = 20

// Result is what an audit found.
type Result struct {
	Hunts    int
	Players  int    // one in two hunts counts twice
	Answered uint64 // commands, Joins apart

	// What must be 0.
	Lost            uint64 // commands that were answered and not counted
	Doubled         uint64 // commands that were counted beyond those answered
	Altered         uint64 // players of whom as many, but not the same commands were counted
	Uncounted       uint64 // hunts of which nothing was counted; their commands are Lost
	Unended         uint64 // hunts whose end was seen and not counted
	Gaps            uint64 // hunts of which records are missing
	Forks           uint64 // hunts that two owners wrote to
	ScoreMismatches uint64 // players and hunts whose scores are not what they should be

	// What makes it say less.
	Unheard    int // commands whose fate nobody ever learned
	Unverified int // players of whom more was counted than was answered, and no more than that explains
	Unfinished int // players who did not see their hunt's end: scores and Joins are not compared

	Differences []Difference // the first 20
	differences int          // all
}

// Difference is one thing that is not as it should be.
type Difference struct {
	Hunt     string
	Player   uint64 // 0: of the hunt as a whole
	Expected string
	Counted  string
}

// String names it.
func (d Difference) String() string {
	whose := "hunt " + d.Hunt
	if d.Player != 0 {
		whose += fmt.Sprintf(", player %d", d.Player)
	}
	return fmt.Sprintf("%s: expected %s, counted %s", whose, d.Expected, d.Counted)
}

// Clean tells whether everything is as it should be, and there was something.
func (r *Result) Clean() bool { return r.wrong() == 0 && r.Answered > 0 }

func (r *Result) wrong() uint64 {
	return r.Lost + r.Doubled + r.Altered + r.Uncounted + r.Unended + r.Gaps + r.Forks + r.ScoreMismatches
}

// String is the verdict and the figures, and what differs.
func (r *Result) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "audit: %s\n  %d hunts, %d players in them, %d commands answered\n", r.verdict(), r.Hunts, r.Players, r.Answered)
	fmt.Fprintf(&text, "  lost %d, doubled %d, altered %d, gaps %d, score mismatches %d\n", r.Lost, r.Doubled, r.Altered, r.Gaps, r.ScoreMismatches)
	if r.Uncounted+r.Unended+r.Forks > 0 {
		fmt.Fprintf(&text, "  hunts not counted %d, ends not counted %d, forks %d\n", r.Uncounted, r.Unended, r.Forks)
	}
	if r.Unheard+r.Unverified+r.Unfinished > 0 {
		fmt.Fprintf(&text, "  never answered: %d commands, so that %d players cannot be told exactly; %d players did not see their hunt's end\n",
			r.Unheard, r.Unverified, r.Unfinished)
	}
	for _, difference := range r.Differences {
		fmt.Fprintf(&text, "  - %s\n", difference)
	}
	if more := r.differences - len(r.Differences); more > 0 {
		fmt.Fprintf(&text, "  - and %d more\n", more)
	}
	return text.String()
}

func (r *Result) verdict() string {
	switch {
	case r.Clean():
		return "CLEAN"
	case r.wrong() == 0:
		return "NOT CLEAN: nothing was answered, so nothing is shown"
	default:
		return "NOT CLEAN"
	}
}

// differ counts a difference under its kind, and spells out the first ones.
func (r *Result) differ(kind *uint64, by uint64, hunt string, player uint64, expected, counted string) {
	*kind += by
	r.differences++
	if len(r.Differences) < differencesMax {
		r.Differences = append(r.Differences, Difference{hunt, player, expected, counted})
	}
}
