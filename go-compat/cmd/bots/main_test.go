package main

import (
	"errors"
	"testing"

	"treasurehunt.example/go-compat/services/audit"
	"treasurehunt.example/go-compat/services/program"
)

func TestARunInWhichNothingWasPlayedFails(t *testing.T) {
	hunt := func(answered uint64) audit.Hunt {
		return audit.Hunt{ID: "h", Players: []audit.Player{{ID: 1}, {ID: 2, Answered: answered}}}
	}
	for _, hunts := range [][]audit.Hunt{nil, {hunt(0), hunt(0)}} { // no matchmaker; no router
		var exit *program.ExitError
		if err := played(&audit.Report{Hunts: hunts}, "m:1", "r:1"); !errors.As(err, &exit) || exit.Code != program.ExitDependency {
			t.Errorf("%v: %v, want exit code %d", hunts, err, program.ExitDependency)
		}
	}
	if err := played(&audit.Report{Hunts: []audit.Hunt{hunt(0), hunt(1)}}, "m:1", "r:1"); err != nil {
		t.Error(err)
	}
}
