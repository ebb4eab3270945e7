package audit

import "context"

// View is what an aggregator counted. Hunt answers nil for a hunt of which it has
// counted nothing; an error says that it could not be asked.
type View interface {
	Hunt(ctx context.Context, id string) (*Counted, error)
}

// Counted is what an aggregator counted of one hunt.
type Counted struct {
	Ended   bool   `json:"ended"`
	Missing uint64 `json:"missing"`  // records that did not arrive
	GivenUp uint64 `json:"given_up"` // likewise, and not waited for any more
	Forks   uint64 `json:"forks"`
	// WorthDug is what was dug up, ScoreTotal all scores together. They are equal.
	WorthDug   uint64 `json:"worth_dug"`
	ScoreTotal int64  `json:"score_total"`
	AddsUp     bool   `json:"adds_up"` // the aggregator's own opinion

	Players []CountedPlayer `json:"players"`
}

// CountedPlayer is what an aggregator counted of one player in one hunt.
type CountedPlayer struct {
	ID      uint64 `json:"player_id,string"`
	Applied uint64 `json:"applied"` // commands
	Joins   uint64 `json:"joins"`   // of these
	Marks   uint64 `json:"marks,string"`
	Score   int64  `json:"score"`
}
