package legacy

import (
	"log/slog"
	"time"
)

// Clock is where an engine reads time. Implementations are safe for concurrent use.
type Clock interface {
	// Wall is the time of day. It is read once a hunt, and to notice that it jumped.
	Wall() time.Time
	// Elapsed is the time since some fixed moment, by a clock that never jumps.
	Elapsed() time.Duration
}

// SystemClock is the clock of the machine.
func SystemClock() Clock { return systemClock{start: time.Now()} }

type systemClock struct{ start time.Time }

func (systemClock) Wall() time.Time { return time.Now() }

func (c systemClock) Elapsed() time.Duration { return time.Since(c.start) } // by the monotonic clock

// huntTime is the time of one hunt: the wall clock when it was created, and the
// monotonic clock from there ("Time and chance"). It never falls.
type huntTime struct {
	baseMs  int64
	elapsed time.Duration // of the engine's clock, at base
}

func (t huntTime) atMs(elapsed time.Duration) int64 {
	return t.baseMs + (elapsed - t.elapsed).Milliseconds()
}

// wallJump is over which a wall clock that moved against the monotonic one is
// worth a line in the log.
const wallJump = 5 * time.Second

// wallWatch notices jumps of the wall clock. They change nothing in a hunt.
type wallWatch struct {
	offset time.Time // the wall clock when elapsed was 0
}

func watchWall(clock Clock) wallWatch {
	return wallWatch{offset: clock.Wall().Round(0).Add(-clock.Elapsed())}
}

// look logs a jump, once.
func (w *wallWatch) look(clock Clock, log *slog.Logger) {
	seen := watchWall(clock)
	if jump := seen.offset.Sub(w.offset); jump.Abs() > wallJump {
		log.Warn("the wall clock jumped; hunts go on by the monotonic clock", "by", jump)
		w.offset = seen.offset
	}
}
