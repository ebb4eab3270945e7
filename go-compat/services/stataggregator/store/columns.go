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

// flag is a truth in a column of numbers.
type flag bool

// Value implements [driver.Valuer].
func (f flag) Value() (driver.Value, error) {
	if f {
		return int64(1), nil
	}
	return int64(0), nil
}

// Scan implements sql.Scanner.
func (f *flag) Scan(value any) error {
	var number wide
	err := number.Scan(value)
	*f = number != 0
	return err
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
		"played epoch epoch_first forks applied players dug scores ruleset starts_at_ms ended_at_ms final disagrees")}
	seatsTable    = table{"seats", []string{"hunt_id", "player_id"}, strings.Fields(countColumns + " marks")}
	playersTable  = table{"players", []string{"player_id"}, strings.Fields("hunts " + countColumns)}
	powerUpsTable = table{"power_ups", []string{"player_id", "name"}, strings.Fields("picked used")}
	alarmsTable   = table{"alarms", nil, strings.Fields("at_ms kind feed hunt_id sequence text")}
)

// texts are the columns of text. All others that are read and written here are
// numbers.
var texts = map[string]bool{
	"hunt_id": true, "missing": true, "ruleset": true, "final": true, "name": true, "kind": true, "feed": true, "text": true,
}

func huntFields(h *tally.Hunt) []any {
	waiting := wide(h.Waiting()) // derived: for the index
	return []any{
		&h.ID, (*wide)(&h.High), asJSON{&h.Missing}, &waiting, (*wide)(&h.GivenUp),
		(*wide)(&h.Records), (*wide)(&h.Duplicates), (*wide)(&h.Holes),
		(*wide)(&h.Played), (*wide)(&h.Epoch), (*wide)(&h.EpochFirst), (*wide)(&h.Forks),
		(*wide)(&h.Applied), (*wide)(&h.Players), (*wide)(&h.Dug), &h.Scores,
		&h.Ruleset, &h.StartsAtMs, &h.EndedAtMs, asJSON{&h.Final}, (*flag)(&h.Disagrees),
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

func alarmFields(a *Alarm) []any {
	return []any{&a.AtMs, &a.Kind, &a.Feed, &a.Hunt, (*wide)(&a.Sequence), &a.Text}
}

func (t table) columns() []string { return append(append([]string{}, t.keys...), t.rest...) }

// selecting is a query for rows of the table.
func (t table) selecting(where string) string {
	return fmt.Sprintf("SELECT %s FROM %s %s", strings.Join(t.columns(), ", "), t.name, where)
}

// listed is what a row of the list $1, which d gives the elements of, has for
// columns of the table.
func (d dialect) listed(columns []string) []string {
	values := make([]string, len(columns))
	for i, column := range columns {
		kind := "BIGINT"
		if texts[column] {
			kind = "TEXT"
		}
		values[i] = fmt.Sprintf("CAST(value->>%d AS %s)", i, kind)
	}
	return values
}

// selectingListed is a query for the rows whose keys are listed in $1. The list
// comes first in both planners: SQLite reorders no CROSS JOIN, and Postgres thinks
// that lists are short.
func (d dialect) selectingListed(t table) string {
	matches := d.listed(t.keys)
	for i, key := range t.keys {
		matches[i] = key + " = " + matches[i]
	}
	return fmt.Sprintf("SELECT %s FROM %s($1) CROSS JOIN %s WHERE %s",
		strings.Join(t.columns(), ", "), d.elements, t.name, strings.Join(matches, " AND "))
}

// inserting writes rows, none of which is there.
func (d dialect) inserting(t table) string {
	columns := t.columns()
	into := fmt.Sprintf("INSERT INTO %s (%s) ", t.name, strings.Join(columns, ", "))
	if d.together {
		return into + fmt.Sprintf("SELECT %s FROM %s($1)", strings.Join(d.listed(columns), ", "), d.elements)
	}
	values := make([]string, len(columns))
	for i := range columns {
		values[i] = fmt.Sprintf("$%d", i+1)
	}
	return into + fmt.Sprintf("VALUES (%s)", strings.Join(values, ", "))
}

// putting writes rows, be they there or not. A column of a row that is there
// becomes what change says.
func (d dialect) putting(t table, change string) string {
	sets := make([]string, len(t.rest))
	for i, column := range t.rest {
		sets[i] = column + " = " + strings.NewReplacer("TABLE", t.name, "COLUMN", column).Replace(change)
	}
	return fmt.Sprintf("%s ON CONFLICT (%s) DO UPDATE SET %s", d.inserting(t), strings.Join(t.keys, ", "), strings.Join(sets, ", "))
}

const (
	replaced = "excluded.COLUMN"
	added    = "TABLE.COLUMN + excluded.COLUMN"
)
