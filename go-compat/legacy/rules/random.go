package rules

import "math/bits"

// splitMix is SplitMix64, whose state is part of the hunt.
type splitMix struct{ state uint64 }

func (s *splitMix) next() uint64 {
	s.state += 0x9E3779B97F4A7C15
	z := s.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// below draws from 0 to n-1: the high half of the 128-bit product.
func (s *splitMix) below(n uint64) uint64 {
	high, _ := bits.Mul64(s.next(), n)
	return high
}
