package stataggregator

import (
	"encoding/hex"
	"time"

	"treasurehunt.example/go-compat/services/stataggregator/store"
	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

// What the JSON API writes. Ids and marks, which use all of their 64 bits, are
// decimal strings; counts are numbers.

type huntBody struct {
	HuntID       string     `json:"hunt_id"`
	Ended        bool       `json:"ended"`
	Records      uint64     `json:"records"` // counted
	LastSequence uint64     `json:"last_sequence"`
	Missing      uint64     `json:"missing"`  // records that did not arrive, and would still be counted
	GivenUp      uint64     `json:"given_up"` // records that would not be any more
	Gaps         uint64     `json:"gaps"`     // holes that ever opened, filled ones included
	Duplicates   uint64     `json:"duplicates"`
	Forks        uint64     `json:"forks"`
	Epoch        uint64     `json:"epoch"`
	Applied      uint64     `json:"applied"`
	Joined       uint64     `json:"joined"` // players who ever did
	WorthDug     uint64     `json:"worth_dug"`
	ScoreTotal   int64      `json:"score_total"`
	AddsUp       bool       `json:"adds_up"` // false once a number did not agree with the records
	Ruleset      string     `json:"ruleset"`
	StartsAt     *time.Time `json:"starts_at,omitempty"` // absent while its first record is missing
	EndedAt      *time.Time `json:"ended_at,omitempty"`
}

type huntDetailsBody struct {
	huntBody
	MissingRanges []tally.Range    `json:"missing_ranges"` // the first 100
	Standings     []tally.Standing `json:"standings"`      // by its end; the best 100
	Players       []seatBody       `json:"players"`        // a page of them, in order of their ids
	Next          string           `json:"next,omitempty"` // the after of the next page
}

type seatBody struct {
	PlayerID uint64 `json:"player_id,string"`
	tally.Counts
	Marks uint64 `json:"marks,string"` // the sum of audit.Mark over the commands applied, Joins apart
}

type playerBody struct {
	PlayerID uint64 `json:"player_id,string"`
	Hunts    uint64 `json:"hunts"`
	tally.Counts
	PowerUps []store.PowerUp `json:"power_ups"`
}

type feedBody struct {
	Name       string     `json:"name"`
	Up         bool       `json:"up"`
	Cursor     string     `json:"cursor"`  // hexadecimal
	Records    uint64     `json:"records"` // counted
	Duplicates uint64     `json:"duplicates"`
	Gaps       uint64     `json:"gaps"`   // that the feed told of
	Behind     uint64     `json:"behind"` // records, at the last read
	NewestAt   *time.Time `json:"newest_at,omitempty"`
	LastError  string     `json:"last_error,omitempty"` // until it is well again
	FailedAt   *time.Time `json:"failed_at,omitempty"`
}

type alarmBody struct {
	At       time.Time       `json:"at"`
	Kind     tally.AlarmKind `json:"kind"`
	Feed     string          `json:"feed"`
	HuntID   string          `json:"hunt_id,omitempty"`
	Sequence uint64          `json:"sequence,omitempty"`
	Text     string          `json:"text"`
}

func newHuntBody(h *tally.Hunt) huntBody {
	return huntBody{
		HuntID: h.ID, Ended: h.Final != nil, Records: h.Records, LastSequence: h.High,
		Missing: h.Waiting(), GivenUp: h.GivenUp, Gaps: h.Holes, Duplicates: h.Duplicates,
		Forks: h.Forks, Epoch: h.Epoch, Applied: h.Applied, Joined: h.Players,
		WorthDug: h.Dug, ScoreTotal: h.Scores, AddsUp: !h.Disagrees, Ruleset: h.Ruleset,
		StartsAt: at(h.StartsAtMs), EndedAt: at(h.EndedAtMs),
	}
}

func newHuntDetailsBody(h *tally.Hunt, seats []tally.Seat) huntDetailsBody {
	const rangesShown = 100
	body := huntDetailsBody{
		huntBody:      newHuntBody(h),
		MissingRanges: append([]tally.Range{}, h.Missing[:min(len(h.Missing), rangesShown)]...),
		Standings:     []tally.Standing{},
		Players:       []seatBody{},
	}
	if h.Final != nil {
		body.Standings = append(body.Standings, h.Final.Standings...)
	}
	for _, seat := range seats {
		body.Players = append(body.Players, seatBody{PlayerID: seat.Player, Counts: seat.Counts, Marks: seat.Marks})
	}
	return body
}

func newPlayerBody(p *store.Player) playerBody {
	return playerBody{PlayerID: p.ID, Hunts: p.Hunts, Counts: p.Counts, PowerUps: append([]store.PowerUp{}, p.PowerUps...)}
}

func newFeedBody(name string, kept store.Feed, now state) feedBody {
	body := feedBody{
		Name: name, Up: now.up, Cursor: hex.EncodeToString(kept.Cursor), Records: kept.Records,
		Duplicates: kept.Duplicates, Gaps: kept.Gaps, Behind: now.behind, NewestAt: at(kept.NewestMs), LastError: now.failure,
	}
	if now.failure != "" {
		body.FailedAt = &now.failureAt
	}
	return body
}

func newAlarmBody(a store.Alarm) alarmBody {
	return alarmBody{At: time.UnixMilli(a.AtMs).UTC(), Kind: a.Kind, Feed: a.Feed, HuntID: a.Hunt, Sequence: a.Sequence, Text: a.Text}
}

// at is a stamp as the API shows it; nil for none.
func at(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	stamp := time.UnixMilli(ms).UTC()
	return &stamp
}
