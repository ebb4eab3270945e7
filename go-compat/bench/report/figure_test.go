package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestARatioIsTheMedianOfTheRounds(t *testing.T) {
	// The ratio of the medians would be 3: rounds are compared before they are summed up,
	// because what disturbs one disturbs both of its arms.
	figure, err := Ratio(Figure{Name: "x/y", A: "new", B: "old", Unit: "commands/s", Goal: AtLeast(2)},
		[]float64{10, 30, 50}, []float64{5, 10, 100})
	if err != nil {
		t.Fatal(err)
	}
	if figure.Value != 2 || figure.Min != 0.5 || figure.Max != 3 {
		t.Errorf("the ratio is %v, from %v to %v", figure.Value, figure.Min, figure.Max)
	}
	want := "bench x/y ratio=2 min=0.5 max=3 a=30 b=10 unit=commands/s errors=0 goal=≥2 result=met"
	if line := figure.Line(); line != want {
		t.Errorf("the line is\n%s\nand should be\n%s", line, want)
	}
}

func TestTheMedianOfAnEvenCountIsHalfway(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	if got := Median(values); got != 2.5 {
		t.Errorf("the median is %v", got)
	}
	if values[0] != 4 {
		t.Error("the rounds are in another order now")
	}
}

func TestARatioWantsBothArmsInEveryRound(t *testing.T) {
	for _, c := range []struct{ a, b []float64 }{{nil, nil}, {[]float64{1}, nil}, {[]float64{1}, []float64{1, 2}}, {[]float64{1}, []float64{0}}} {
		if _, err := Ratio(Figure{}, c.a, c.b); err == nil {
			t.Errorf("%v to %v is a ratio", c.a, c.b)
		}
	}
}

func TestAFigureOfOneArmIsTheMedianOfItsRounds(t *testing.T) {
	figure := Of(Figure{Name: "x/y", Unit: "ms", Goal: AtMost(5)}, 9, 4, 2)
	want := "bench x/y value=4 min=2 max=9 unit=ms errors=0 goal=≤5 result=met"
	if line := figure.Line(); line != want {
		t.Errorf("the line is\n%s\nand should be\n%s", line, want)
	}
	if figure := Of(Figure{Goal: AtMost(5)}); figure.Result() != "not-reached" {
		t.Errorf("without a round it is %s", figure.Result())
	}
}

func TestAMissedFigureSaysSo(t *testing.T) {
	for _, c := range []struct {
		figure Figure
		want   string
	}{
		{Figure{Value: 3, Goal: AtLeast(3)}, "met"},
		{Figure{Value: 2.99, Goal: AtLeast(3)}, "missed"},
		{Figure{Value: 3, Goal: AtMost(3)}, "met"},
		{Figure{Value: 3.01, Goal: AtMost(3)}, "missed"},
		{Figure{Value: 3.01}, "none"},
		{Figure{Value: 1, Goal: AtMost(3), NotReached: "too short"}, "not-reached"},
	} {
		if got := c.figure.Result(); got != c.want {
			t.Errorf("%v with the goal %s is %s, and should be %s", c.figure.Value, c.figure.Goal, got, c.want)
		}
		if !strings.Contains(c.figure.Line(), "result="+c.want) {
			t.Errorf("the line does not say so: %s", c.figure.Line())
		}
	}
}

func TestTheTableStandsBetweenItsMarksAndNowhereElse(t *testing.T) {
	document := filepath.Join(t.TempDir(), "benchmarks.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(document, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := &Report{Figures: []Figure{{Name: "x/slow", What: "how slow", Value: 9, Min: 8, Max: 10, Unit: "ms", Goal: AtMost(5), Errors: 3}}}
	write("before\n" + tableBegin + "what was there\n" + tableEnd + "after\n")
	for range 2 { // again: it replaces what it wrote
		if err := r.WriteTable(document); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n" + tableBegin, tableEnd + "after\n", "| `x/slow`: how slow | 9 ms | 8–10 |  | ≤5 | **missed**; 3 errors |"} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("not once in the document: %q\n%s", want, text)
		}
	}
	write("no marks")
	if err := r.WriteTable(document); err == nil {
		t.Error("a document without a place for it took the table")
	}
}

// TestDocumentsShowTheReportsBesideThem is for who edits one and not the other.
func TestDocumentsShowTheReportsBesideThem(t *testing.T) {
	for _, name := range []string{"benchmarks", "story"} {
		t.Run(name, func(t *testing.T) { showsTheReport(t, "../../../docs/"+name) })
	}
}

func showsTheReport(t *testing.T, path string) {
	document, err := os.ReadFile(path + ".md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(document)
	if _, err := os.Stat(path + ".json"); err != nil {
		if want := tableBegin + "Not measured yet on a machine that was left alone.\n" + tableEnd; !strings.Contains(text, want) {
			t.Errorf("%s.md has a table, and there is no %[1]s.json", path)
		}
		return
	}
	r, err := ReadFile(path + ".json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := r.written(text)
	if err != nil {
		t.Fatal(err)
	}
	if text != want {
		t.Errorf("%[1]s.md does not show %[1]s.json: bin/bench table %[1]s.json %[1]s.md", path)
	}
}

func TestADocumentCitesFiguresOfItsReport(t *testing.T) {
	r := &Report{Figures: []Figure{
		{Name: "players/old/longest pause", Value: 1.5, Unit: "ms"},
		{Name: "story/cpu", Value: 2, Unit: "%", Rounds: []Round{{A: 80, B: 40, Ratio: 2}}},
	}}
	got, err := r.cite("It stood for <!-- figure players/old/longest pause -->9 ms<!-- -->, at <!-- figure story/cpu --><!-- -->.")
	want := "It stood for <!-- figure players/old/longest pause -->1.5 ms<!-- -->, at <!-- figure story/cpu -->80 against 40 %<!-- -->."
	if got != want || err != nil {
		t.Errorf("it reads\n%s\nand should\n%s\n%v", got, want, err)
	}
	if _, err := r.cite("<!-- figure story/none -->1<!-- -->"); err == nil {
		t.Error("a figure that nobody measured was cited")
	}
}
