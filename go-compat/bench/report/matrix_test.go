package report

import (
	"strings"
	"testing"
)

func TestFiguresOfRowsAndColumnsAreOneTable(t *testing.T) {
	r := &Report{Figures: []Figure{
		{Name: "players/old/p99", Value: 50, Unit: "ms"},
		{Name: "story/cpu", What: "in all", Value: 2, Unit: "%"},
		{Name: "players/new/p99", Value: 15, Unit: "ms", Goal: AtMost(14.2), Errors: 3},
		{Name: "players/old/pause", Value: 7, Unit: "ms"}, // which the other does not have
		{Name: "players/old/to new", Value: 2, Unit: "ms", Rounds: []Round{{A: 8, B: 4, Ratio: 2}}},
		{Name: "shard/all/p99", Value: 1, Unit: "ms"},
	}}
	text, err := r.Table()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| players | p99, ms | pause, ms | to new, ms | not answered |\n|---|---|---|---|---|\n",
		"| `old` | 50 | 7 | 2 (8 against 4) | 0 |\n| `new` | 15 (≤14.2: **missed**) | – | – | 3 |\n\n",
		"| shard | p99, ms | not answered |\n|---|---|---|\n| `all` | 1 | 0 |\n\n| figure |",
		"|\n| `story/cpu`: in all | 2 % |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table has not\n%s\nbut is\n%s", want, text)
		}
	}
}
