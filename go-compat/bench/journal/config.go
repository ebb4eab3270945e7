package journal

import "time"

// Config says how long and how hard.
type Config struct {
	// BinDir holds player-state; Dir gets sockets, logs and data, on a disk.
	BinDir, Dir string
	Seed        uint64
	// Rounds is how often every arm has its turn.
	Rounds int
	// WarmUp is played before a turn is measured, and Length is measured.
	WarmUp, Length time.Duration
	// PerSecond is the open loop's rate.
	PerSecond float64
	// OpenLength is how long it lasts at least, and OpenLengthMax at most while the
	// journal was not rotated often enough.
	OpenLength, OpenLengthMax time.Duration
}

const (
	// callersMany gather in commits; callersOne waits for a sync of its own each time.
	callersMany, callersOne = 1024, 1
	hunts, players          = 64, 250 // of each
	// rotationsLeast is how many the open loop is to come through.
	rotationsLeast = 3
	// warmUpPart is how much shorter the warm-up of the open loop is.
	warmUpPart = 3
	// window is how long the parts of the open loop are that are shown by themselves.
	window = 10 * time.Second
	// settleQuiet is for how long the size on disk must stay as it is to be called
	// settled, and settleLimit how long that is waited for.
	settleQuiet = 3 * time.Second
	settleLimit = time.Minute
)

// How Redis' client sends: the fastest of what was tried (docs/benchmarks.md).
const (
	redisConnections = 2 // as a power of two
	redisFlushDelay  = time.Millisecond
)
