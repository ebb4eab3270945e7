package legacy

import "time"

// Limits are the bounds of an engine, beside those of the schema, which are
// constants of package playerstate. A zero field is its default. At a bound the
// answer is a typed refusal that names it.
type Limits struct {
	// Hunts is the most hunts at once, those that ended and are still kept
	// included: 10,000. Over it CreateHunt is RESOURCE_EXHAUSTED.
	Hunts int64
	// Players is the most players in all hunts, those who left included:
	// 2,000,000. Over it a newcomer's Join is refused OVERLOADED.
	Players int64
	// Placed is the most treasures and caches that all hunts began with:
	// 50,000,000. Over it CreateHunt is RESOURCE_EXHAUSTED.
	Placed int64
	// QueueCalls is the most calls that wait for one hunt: 1,024. Over it
	// commands are refused OVERLOADED, and reads are RESOURCE_EXHAUSTED.
	QueueCalls int
	// FeedRecords and FeedBytes bound what the feed keeps: 1,000,000 records,
	// 256 MiB. Over either the oldest are dropped, and a reader who is behind
	// them is told with gap.
	FeedRecords int
	FeedBytes   int
	// FeedWaiters is the most ReadRecords that wait at once: 256. Over it one
	// that would have to wait is RESOURCE_EXHAUSTED.
	FeedWaiters int64
	// EndedKept is how long a hunt that ended is still answered for: 10 min.
	// After it the hunt is unknown here, and its records are in the feed.
	EndedKept time.Duration
	// GoneIDs is how many ids of dropped hunts are remembered, the newest:
	// 100,000. Creating a hunt under one is ALREADY_EXISTS.
	GoneIDs int
}

// DefaultLimits is what a zero Limits means.
func DefaultLimits() Limits {
	return Limits{
		Hunts:       10_000,
		Players:     2_000_000,
		Placed:      50_000_000,
		QueueCalls:  1024,
		FeedRecords: 1_000_000,
		FeedBytes:   256 << 20,
		FeedWaiters: 256,
		EndedKept:   10 * time.Minute,
		GoneIDs:     100_000,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	orDefault(&l.Hunts, d.Hunts)
	orDefault(&l.Players, d.Players)
	orDefault(&l.Placed, d.Placed)
	orDefault(&l.QueueCalls, d.QueueCalls)
	orDefault(&l.FeedRecords, d.FeedRecords)
	orDefault(&l.FeedBytes, d.FeedBytes)
	orDefault(&l.FeedWaiters, d.FeedWaiters)
	orDefault(&l.EndedKept, d.EndedKept)
	orDefault(&l.GoneIDs, d.GoneIDs)
	return l
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
