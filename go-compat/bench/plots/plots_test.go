package plots

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"treasurehunt.example/go-compat/bench/loader"
	"treasurehunt.example/go-compat/bench/report"
	"treasurehunt.example/go-compat/bench/resident"
)

// drawn are the pictures of a report, by file.
func drawn(t *testing.T, r *report.Report) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	if err := Write(r, dir); err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]byte)
	for _, picture := range r.Pictures() {
		text, err := os.ReadFile(filepath.Join(dir, picture.File))
		if err != nil {
			t.Fatal(err)
		}
		all[picture.File] = text
	}
	return all
}

func TestAReportIsDrawn(t *testing.T) {
	bridge := func(arm string, round int, server, client float64) report.Run {
		result := loader.Result{Server: loader.Used{CPUSeconds: server}, Client: loader.Used{CPUSeconds: client}}
		result.Applied = 1_000_000
		return report.Run{Suite: "bridge", Arm: arm, Round: round, Result: result}
	}
	r := &report.Report{Runs: []report.Run{
		bridge("one", 1, 1, 2), bridge("two", 1, 10, 20), bridge("one", 2, 3, 4), bridge("one", 3, 100, 100),
		{Suite: "memory", Arm: "sidecar", Result: []resident.Weight{{Players: 0, ResidentBytes: 1e7}, {Players: 1e6, ResidentBytes: 2e8}}},
	}}
	all := drawn(t, r)
	if len(all) != 2 {
		t.Fatalf("%d pictures of two suites", len(all))
	}
	// 7 is the median of 3, 7 and 200, server and client together.
	for file, wants := range map[string][]string{"cpu.svg": {"one", "two", "7.00", "30.00"}, "memory.svg": {"sidecar", "thousands of players"}} {
		for _, want := range wants {
			if !strings.Contains(string(all[file]), want) {
				t.Errorf("%s does not show %q", file, want)
			}
		}
	}
	for file, text := range drawn(t, r) {
		if !bytes.Equal(text, all[file]) {
			t.Errorf("%s is drawn in two ways", file)
		}
	}
}

// TestThePicturesAreOfTheReportBesideThem is for who edits one and not the other.
func TestThePicturesAreOfTheReportBesideThem(t *testing.T) {
	const docs = "../../../docs/"
	r, err := report.ReadFile(docs + "benchmarks.json")
	if err != nil {
		t.Fatal(err)
	}
	all := drawn(t, r)
	kept, err := filepath.Glob(docs + "benchmarks/*.svg")
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != len(all) {
		t.Errorf("%d pictures are kept, and the report has %d: make bench-table", len(kept), len(all))
	}
	for _, path := range kept {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, all[filepath.Base(path)]) {
			t.Errorf("%s is not that of docs/benchmarks.json: make bench-table", path)
		}
	}
}
