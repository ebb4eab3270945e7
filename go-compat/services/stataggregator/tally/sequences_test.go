package tally

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever arrives, in whatever order: each sequence is new once, and the holes
// are what a plain set says is missing.
func TestASequenceIsNewOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Sequences
		seen := map[uint64]bool{}
		high := uint64(0)
		for _, sequence := range rapid.SliceOfN(rapid.Uint64Range(1, 40), 1, 120).Draw(t, "arrivals") {
			arrival := s.Add(sequence)
			if seen[sequence] != (arrival == Duplicate) {
				t.Fatalf("%d is %v, seen before: %v", sequence, arrival, seen[sequence])
			}
			if late := sequence < high && !seen[sequence]; late != (arrival == Late) {
				t.Fatalf("%d below %d is %v", sequence, high, arrival)
			}
			seen[sequence], high = true, max(high, sequence)
		}
		waiting := uint64(0)
		for sequence := uint64(1); sequence <= high; sequence++ {
			if s.Counted(sequence) != seen[sequence] {
				t.Fatalf("%d: counted %v, seen %v", sequence, s.Counted(sequence), seen[sequence])
			}
			if !seen[sequence] {
				waiting++
			}
		}
		if s.High != high || s.Waiting() != waiting || s.Whole() != (waiting == 0) {
			t.Fatalf("%+v, want high %d, waiting %d", s, high, waiting)
		}
		for i, hole := range s.Missing {
			if hole.First > hole.Last || (i > 0 && hole.First <= s.Missing[i-1].Last+1) {
				t.Fatalf("holes %v", s.Missing)
			}
		}
	})
}

func TestOverItsBoundTheOldestHoleIsGivenUpAndItsRecordsAreNotCountedTwice(t *testing.T) {
	var s Sequences
	for sequence := uint64(2); sequence <= 2*(RangesMax+1); sequence += 2 {
		s.Add(sequence) // leaves every odd one out
	}
	if len(s.Missing) != RangesMax || s.GivenUp != 1 || s.Missing[0].First != 3 {
		t.Fatalf("%d holes, %d given up, the first %v", len(s.Missing), s.GivenUp, s.Missing[0])
	}
	if arrival := s.Add(1); arrival != Duplicate || s.Whole() {
		t.Fatalf("a record that was given up is %v", arrival)
	}
	if arrival := s.Add(3); arrival != Late {
		t.Fatalf("a record that is waited for is %v", arrival)
	}
}
