package serve

import "time"

// Limits are the bounds of a server beside those of the schema, which are
// constants of package playerstate. A zero field is its default.
type Limits struct {
	// CallTime is the longest that a call of PlayerStateService or OwnershipService may
	// take: 2 s.
	CallTime time.Duration
	// FeedTime is the same for EventFeedService, whose reads may wait: 35 s.
	FeedTime time.Duration
	// CallsInFlight is the most calls at once: 4,096. Over it a call is
	// answered RESOURCE_EXHAUSTED.
	CallsInFlight int64
	// Connections is the most connections of one listener at once: 64. One
	// more is closed as soon as it is accepted, with a line in the log.
	Connections int64
	// StreamsPerConnection is the most calls of one connection at once: 128.
	// HTTP/2 tells the client, which waits by itself.
	StreamsPerConnection uint32
	// HeaderListBytes is the most bytes of a call's headers: 8 KiB.
	HeaderListBytes uint32
	// Handshake is how long a new connection may take to become one: 5 s.
	Handshake time.Duration
}

// DefaultLimits is what a zero Limits means.
func DefaultLimits() Limits {
	return Limits{
		CallTime:             2 * time.Second,
		FeedTime:             35 * time.Second,
		CallsInFlight:        4096,
		Connections:          64,
		StreamsPerConnection: 128,
		HeaderListBytes:      8 << 10,
		Handshake:            5 * time.Second,
	}
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	if l.CallTime == 0 {
		l.CallTime = d.CallTime
	}
	if l.FeedTime == 0 {
		l.FeedTime = d.FeedTime
	}
	if l.CallsInFlight == 0 {
		l.CallsInFlight = d.CallsInFlight
	}
	if l.Connections == 0 {
		l.Connections = d.Connections
	}
	if l.StreamsPerConnection == 0 {
		l.StreamsPerConnection = d.StreamsPerConnection
	}
	if l.HeaderListBytes == 0 {
		l.HeaderListBytes = d.HeaderListBytes
	}
	if l.Handshake == 0 {
		l.Handshake = d.Handshake
	}
	return l
}
