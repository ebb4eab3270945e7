package load

import (
	"sync"
	"time"
)

// Silence finds the longest time in which no answer came while some were due. An
// answer is due from when its command was to be sent. Safe for concurrent use.
type Silence struct {
	mu      sync.Mutex
	due     int       // answers that are due
	since   time.Time // when it fell silent: the last answer, or the first that is due
	longest time.Duration
}

// Due says that an answer is due since then.
func (s *Silence) Due(then time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.due == 0 && then.After(s.since) {
		s.since = then
	}
	s.due++
}

// Answered says that an answer came now.
func (s *Silence) Answered(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest = max(s.longest, now.Sub(s.since))
	s.since = now
	s.due--
}

// Failed says that an answer is waited for no more. It did not end the silence.
func (s *Silence) Failed(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.longest = max(s.longest, now.Sub(s.since))
	s.due--
}

// Longest is the longest silence so far.
func (s *Silence) Longest() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.longest
}
