package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"

	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

// A table's key and other columns, and where they stand in a row. The fields are
// in the columns' order; they are scanned into and written from alike.

// wide is a number of 64 bits without sign in a column of signed ones, bit for bit.
type wide uint64

// Value implements [driver.Valuer].
func (w wide) Value() (driver.Value, error) { return int64(w), nil }

// Scan implements sql.Scanner.
func (w *wide) Scan(value any) error {
	number, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a column holds %T where a number belongs", value)
	}
	*w = wide(number)
	return nil
}

// asJSON is a value that is kept as JSON.
type asJSON struct{ value any }

// Value implements [driver.Valuer].
func (j asJSON) Value() (driver.Value, error) {
	text, err := json.Marshal(j.value)
	return string(text), err
}

// Scan implements sql.Scanner.
func (j asJSON) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return fmt.Errorf("a column holds %T where JSON belongs", value)
	}
	return json.Unmarshal([]byte(text), j.value)
}

// table is how the rows of one type are kept.
type table struct {
	name string
	keys []string
	rest []string
}

const countColumns = "applied joins moves digs treasures dug picked_up used hits_given hits_received hits_blocked score"

var (
	huntsTable = table{"hunts", []string{"hunt_id"}, strings.Fields("high missing waiting given_up records duplicates holes " +
		"epoch epoch_first forks applied players dug scores ruleset starts_at_ms ended_at_ms final disagrees")}
	seatsTable   = table{"seats", []string{"hunt_id", "player_id"}, strings.Fields(countColumns + " marks")}
	playersTable = table{"players", []string{"player_id"}, strings.Fields("hunts " + countColumns)}
)

func huntFields(h *tally.Hunt) []any {
	waiting := wide(h.Waiting()) // derived: for the index
	return []any{
		&h.ID, (*wide)(&h.High), asJSON{&h.Missing}, &waiting, (*wide)(&h.GivenUp),
		(*wide)(&h.Records), (*wide)(&h.Duplicates), (*wide)(&h.Holes),
		(*wide)(&h.Epoch), (*wide)(&h.EpochFirst), (*wide)(&h.Forks),
		(*wide)(&h.Applied), (*wide)(&h.Players), (*wide)(&h.Dug), &h.Scores,
		&h.Ruleset, &h.StartsAtMs, &h.EndedAtMs, asJSON{&h.Final}, &h.Disagrees,
	}
}

func countFields(c *tally.Counts) []any {
	return []any{
		(*wide)(&c.Applied), (*wide)(&c.Joins), (*wide)(&c.Moves), (*wide)(&c.Digs), (*wide)(&c.Treasures), (*wide)(&c.Dug),
		(*wide)(&c.PickedUp), (*wide)(&c.Used), (*wide)(&c.HitsGiven), (*wide)(&c.HitsReceived), (*wide)(&c.HitsBlocked), &c.Score,
	}
}

func seatFields(s *tally.Seat) []any {
	fields := append([]any{&s.Hunt, (*wide)(&s.Player)}, countFields(&s.Counts)...)
	return append(fields, (*wide)(&s.Marks))
}

func playerFields(p *tally.Player) []any {
	return append([]any{(*wide)(&p.ID), (*wide)(&p.Hunts)}, countFields(&p.Counts)...)
}

// selecting is a query for rows of the table.
func (t table) selecting(where string) string {
	return fmt.Sprintf("SELECT %s, %s FROM %s %s", strings.Join(t.keys, ", "), strings.Join(t.rest, ", "), t.name, where)
}

// upsert writes a row, be it there or not.
func (t table) upsert() string {
	columns := append(append([]string{}, t.keys...), t.rest...)
	sets := make([]string, len(t.rest))
	for i, column := range t.rest {
		sets[i] = column + " = excluded." + column
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) ON CONFLICT (%s) DO UPDATE SET %s",
		t.name, strings.Join(columns, ", "), strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", "),
		strings.Join(t.keys, ", "), strings.Join(sets, ", "))
}
