package story

import "testing"

// TestPausesAreThoseOfTheTrace reads lines of a server's log, which has others too. Of the
// times the second is of a collector beside the program, and the CPU times are no pauses.
func TestPausesAreThoseOfTheTrace(t *testing.T) {
	got := pauses([]byte(`time=2026-11-30T11:13:14Z level=INFO msg=serving addr=unix:s.sock
gc 41 @3.004s 1%: 0.25+163+0.125 ms clock, 0.25+0.081/81/0+0.125 ms cpu, 108->113->56 MB, 112 MB goal, 0 MB stacks, 0 MB globals, 1 P
scvg: 0 MB released
gc 42 @12.870s 2%: 1.5+4.1+0.5 ms clock, 1.5+0.3/2.1/0+0.5 ms cpu, 108->109->55 MB, 112 MB goal, 0 MB stacks, 0 MB globals, 1 P (forced)
gc 43 @13`)) // being written
	if want := (collected{Collections: 2, PauseMaxMs: 1.5, PauseTotalMs: 2.375}); got != want {
		t.Errorf("the trace has %+v, and should have %+v", got, want)
	}
}
