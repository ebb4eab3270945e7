package tally

import "slices"

// RangesMax bounds the holes that a hunt keeps open. At more the oldest is given up.
const RangesMax = 1024

// Range is the sequences from First to Last.
type Range struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

func (r Range) len() uint64 { return r.Last - r.First + 1 }

// Sequences is which records of a hunt were counted: all from 1 to High, but for
// those that are Missing and those that were given up.
type Sequences struct {
	High    uint64
	Missing []Range // ascending, apart from each other; at most RangesMax
	GivenUp uint64  // sequences in holes that are no longer kept open
}

// Arrival is what a sequence is to those that were counted before.
type Arrival int

const (
	// Next follows the highest.
	Next Arrival = iota
	// Ahead leaves a hole behind it.
	Ahead
	// Late fills a hole, or a part of one.
	Late
	// Duplicate was counted before, or lies in a hole that was given up.
	Duplicate
)

// Add marks a sequence, 1 or higher, as counted. The hole that an arrival Ahead
// leaves is the last of Missing.
func (s *Sequences) Add(sequence uint64) Arrival {
	switch {
	case sequence == s.High+1:
		s.High = sequence
		return Next
	case sequence > s.High:
		s.open(Range{First: s.High + 1, Last: sequence - 1})
		s.High = sequence
		return Ahead
	}
	return s.fill(sequence)
}

func (s *Sequences) open(hole Range) {
	s.Missing = append(s.Missing, hole)
	s.bound()
}

// fill takes a sequence out of the hole that it lies in.
func (s *Sequences) fill(sequence uint64) Arrival {
	i, found := s.find(sequence)
	if !found {
		return Duplicate
	}
	hole := s.Missing[i]
	var rest []Range
	if hole.First < sequence {
		rest = append(rest, Range{First: hole.First, Last: sequence - 1})
	}
	if sequence < hole.Last {
		rest = append(rest, Range{First: sequence + 1, Last: hole.Last})
	}
	s.Missing = slices.Replace(s.Missing, i, i+1, rest...)
	s.bound()
	return Late
}

func (s *Sequences) bound() {
	if len(s.Missing) > RangesMax {
		s.GivenUp += s.Missing[0].len()
		s.Missing = slices.Delete(s.Missing, 0, 1)
	}
}

func (s *Sequences) find(sequence uint64) (int, bool) {
	return slices.BinarySearchFunc(s.Missing, sequence, func(hole Range, sequence uint64) int {
		switch {
		case hole.Last < sequence:
			return -1
		case hole.First > sequence:
			return 1
		}
		return 0
	})
}

// Counted tells whether a sequence was counted, or given up.
func (s *Sequences) Counted(sequence uint64) bool {
	_, missing := s.find(sequence)
	return sequence <= s.High && !missing
}

// Waiting is how many sequences are missing that would still be counted.
func (s *Sequences) Waiting() uint64 {
	waiting := uint64(0)
	for _, hole := range s.Missing {
		waiting += hole.len()
	}
	return waiting
}

// Whole tells whether every sequence from 1 to High was counted.
func (s *Sequences) Whole() bool { return len(s.Missing) == 0 && s.GivenUp == 0 }
