package nolockcall_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"treasurehunt.example/go-compat/tools/nolockcall"
)

// One run for all packages, as loading what they import is what takes the time.
// Each says at its head what it plants, and beside each line what must be found.
func TestFindsEachPlantedViolationAndLeavesTheGoodFormsAlone(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), nolockcall.Analyzer,
		"treasurehunt.example/bridge",
		"treasurehunt.example/channels",
		"treasurehunt.example/locks",
		"treasurehunt.example/away", "treasurehunt.example/deep",
		"treasurehunt.example/good",
		"treasurehunt.example/excused",
		"elsewhere.example/theirs",
	)
}

func TestListsTheExceptionsInForce(t *testing.T) {
	exceptions := nolockcall.Analyzer.Flags.Lookup("exceptions")
	if err := exceptions.Value.Set("true"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = exceptions.Value.Set(exceptions.DefValue) })
	analysistest.Run(t, analysistest.TestData(), nolockcall.Analyzer, "treasurehunt.example/listed")
}
