package load

import (
	"testing"
	"time"
)

// TestSilenceIsTimeInWhichAnswersAreDue plays times in milliseconds: d is when an
// answer falls due, a is an answer, f is one that will never come.
func TestSilenceIsTimeInWhichAnswersAreDue(t *testing.T) {
	type event struct {
		what byte
		at   int
	}
	for _, c := range []struct {
		name   string
		events []event
		want   int
	}{
		{"nothing is due", nil, 0},
		{"one answer", []event{{'d', 10}, {'a', 15}}, 5},
		{"idle time is no silence", []event{{'d', 0}, {'a', 2}, {'d', 1000}, {'a', 1003}}, 3},
		{"answers of others break it", []event{{'d', 0}, {'d', 0}, {'a', 8}, {'a', 20}}, 12},
		{"a slow answer among quick ones is none", []event{{'d', 0}, {'d', 1}, {'a', 2}, {'d', 3}, {'a', 4}, {'a', 6}}, 2},
		{"it begins with the first that is due", []event{{'d', 0}, {'d', 50}, {'d', 90}, {'a', 100}, {'a', 100}, {'a', 100}}, 100},
		{"what was due before the last answer waits since that", []event{{'d', 10}, {'a', 11}, {'d', 5}, {'a', 20}}, 9},
		{"an error does not end it", []event{{'d', 0}, {'d', 0}, {'f', 40}, {'a', 70}}, 70},
		{"an error may be all that comes", []event{{'d', 0}, {'f', 40}}, 40},
	} {
		start := time.Unix(1000, 0)
		var silence Silence
		for _, e := range c.events {
			at := start.Add(time.Duration(e.at) * time.Millisecond)
			switch e.what {
			case 'd':
				silence.Due(at)
			case 'a':
				silence.Answered(at)
			case 'f':
				silence.Failed(at)
			}
		}
		if got := silence.Longest(); got != time.Duration(c.want)*time.Millisecond {
			t.Errorf("%s: %s, want %d ms", c.name, got, c.want)
		}
	}
}
