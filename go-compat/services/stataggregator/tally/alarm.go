package tally

import "fmt"

// AlarmKind is what an alarm is about. It is the label of the metric.
type AlarmKind string

const (
	// FeedGap: a feed dropped records before they were read, or is another one
	// than before. What is lost shows as holes.
	FeedGap AlarmKind = "feed_gap"
	// Hole: a hunt's sequence jumped. Late records that fill the hole are counted.
	Hole AlarmKind = "hole"
	// GivenUp: a hunt has more holes than are kept open.
	GivenUp AlarmKind = "given_up"
	// Fork: two owners wrote to the same place of a hunt. What the lower epoch
	// wrote was counted and is not taken back: the hunt's numbers are in doubt.
	Fork AlarmKind = "fork"
	// Disagreement: a hunt's numbers do not add up.
	Disagreement AlarmKind = "disagreement"
	// Malformed: a record that no engine should write.
	Malformed AlarmKind = "malformed"
)

// AlarmKinds is all of them.
var AlarmKinds = []AlarmKind{FeedGap, Hole, GivenUp, Fork, Disagreement, Malformed}

// Alarm says that something is wrong with what was read. Counting goes on.
type Alarm struct {
	Kind     AlarmKind
	Feed     string
	Hunt     string // "": of the feed as a whole
	Sequence uint64 // of the record at which it was seen; 0: none
	Text     string
}

func (p *Page) alarm(kind AlarmKind, hunt string, sequence uint64, format string, args ...any) {
	p.Alarms = append(p.Alarms, Alarm{Kind: kind, Feed: p.Feed, Hunt: hunt, Sequence: sequence, Text: fmt.Sprintf(format, args...)})
}
