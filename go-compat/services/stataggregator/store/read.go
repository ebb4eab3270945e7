package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

// idOrder orders player ids without sign, which the column has.
const idOrder = "player_id < 0, player_id"

// Feed implements [Reader].
func (db *database) Feed(ctx context.Context, name string) (f Feed, err error) {
	row := db.readers.QueryRowContext(ctx, "SELECT cursor, records, duplicates, gaps, newest_ms FROM feeds WHERE name = $1", name)
	err = row.Scan(&f.Cursor, (*wide)(&f.Records), (*wide)(&f.Duplicates), (*wide)(&f.Gaps), &f.NewestMs)
	return f, found(err)
}

// Missing implements [Reader].
func (db *database) Missing(ctx context.Context) (missing uint64, err error) {
	row := db.readers.QueryRowContext(ctx, "SELECT CAST(coalesce(sum(waiting), 0) AS BIGINT) FROM hunts WHERE waiting <> 0")
	return missing, row.Scan((*wide)(&missing))
}

// Hunt implements [Reader].
func (db *database) Hunt(ctx context.Context, id string) (*tally.Hunt, error) {
	hunt := &tally.Hunt{}
	err := db.readers.QueryRowContext(ctx, huntsTable.selecting("WHERE hunt_id = $1"), id).Scan(huntFields(hunt)...)
	return hunt, found(err)
}

// Hunts implements [Reader].
func (db *database) Hunts(ctx context.Context, after string, limit int) ([]tally.Hunt, error) {
	rows, err := db.readers.QueryContext(ctx, huntsTable.selecting("WHERE hunt_id > $1 ORDER BY hunt_id LIMIT $2"), after, limit)
	return collect(rows, err, huntFields)
}

// Seats implements [Reader].
func (db *database) Seats(ctx context.Context, hunt string, after uint64, limit int) ([]tally.Seat, error) {
	rows, err := db.readers.QueryContext(ctx, seatsTable.selecting(
		"WHERE hunt_id = $1 AND (player_id < 0, player_id) > (CAST($2 AS BIGINT) < 0, $2) ORDER BY "+idOrder+" LIMIT $3"), hunt, wide(after), limit)
	return collect(rows, err, seatFields)
}

// Player implements [Reader].
func (db *database) Player(ctx context.Context, id uint64) (*Player, error) {
	player := &Player{}
	row := db.readers.QueryRowContext(ctx, playersTable.selecting("WHERE player_id = $1"), wide(id))
	if err := row.Scan(playerFields(&player.Player)...); err != nil {
		return nil, found(err)
	}
	rows, err := db.readers.QueryContext(ctx, "SELECT name, picked, used FROM power_ups WHERE player_id = $1 ORDER BY name", wide(id))
	player.PowerUps, err = collect(rows, err, func(p *PowerUp) []any { return []any{&p.Name, (*wide)(&p.Picked), (*wide)(&p.Used)} })
	return player, err
}

// Leaders implements [Reader].
func (db *database) Leaders(ctx context.Context, board Board, limit int) ([]Leader, error) {
	var query string
	switch board {
	case Score:
		query = leading("score")
	case Treasures:
		query = leading("treasures")
	case HitsGiven:
		query = leading("hits_given")
	case BestHunt:
		query = "SELECT player_id, hunt_id, score FROM seats WHERE score > 0 ORDER BY score DESC, " + idOrder + ", hunt_id LIMIT $1"
	default: // the caller's text
		return nil, ErrNotFound
	}
	rows, err := db.readers.QueryContext(ctx, query, limit)
	return collect(rows, err, func(l *Leader) []any { return []any{(*wide)(&l.Player), &l.Hunt, &l.Value} })
}

// leading orders the players by a column that has an index.
func leading(column string) string {
	return fmt.Sprintf("SELECT player_id, '', %[1]s FROM players WHERE %[1]s > 0 ORDER BY %[1]s DESC, %[2]s LIMIT $1", column, idOrder)
}

// Alarms implements [Reader].
func (db *database) Alarms(ctx context.Context, limit int) ([]Alarm, error) {
	rows, err := db.readers.QueryContext(ctx, alarmsTable.selecting("ORDER BY id DESC LIMIT $1"), limit)
	return collect(rows, err, alarmFields)
}

func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// collect takes all rows of a query whose limit bounds them.
func collect[T any](rows *sql.Rows, err error, fields func(*T) []any) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var row T
		if err := rows.Scan(fields(&row)...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, rows.Err()
}
