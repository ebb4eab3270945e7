package store

import (
	"database/sql"
	"encoding/json"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

// prefetch reads the rows of the players who act in a page, those of a hunt at a
// time. One by one they would be half of what counting costs. Whom a power-up hits
// is read when it is counted.
func (b *book) prefetch(records []*pb.Record) error {
	acting := make(map[string]map[int64]bool)
	everybody := make(map[int64]bool)
	for _, record := range records {
		id := int64(record.GetApplied().GetCommand().GetPlayerId()) // as the column has it
		if id == 0 {
			continue
		}
		if acting[record.GetHuntId()] == nil {
			acting[record.GetHuntId()] = make(map[int64]bool)
		}
		acting[record.GetHuntId()][id], everybody[id] = true, true
	}
	for hunt, players := range acting {
		if err := b.prefetchSeats(hunt, players); err != nil {
			return err
		}
	}
	return b.prefetchPlayers(everybody)
}

func (b *book) prefetchSeats(hunt string, players map[int64]bool) error {
	for id := range players {
		seat := tally.Seat{Hunt: hunt, Player: uint64(id)}
		b.seats[seatKey{hunt, seat.Player}] = &row[tally.Seat]{before: seat, now: seat}
	}
	return b.each(b.statements.seatsOf, players, func(rows *sql.Rows) error {
		var seat tally.Seat
		err := rows.Scan(seatFields(&seat)...)
		b.seats[seatKey{hunt, seat.Player}] = &row[tally.Seat]{before: seat, now: seat}
		return err
	}, hunt)
}

func (b *book) prefetchPlayers(players map[int64]bool) error {
	for id := range players {
		player := tally.Player{ID: uint64(id)}
		b.players[player.ID] = &row[tally.Player]{before: player, now: player}
	}
	return b.each(b.statements.playersOf, players, func(rows *sql.Rows) error {
		var player tally.Player
		err := rows.Scan(playerFields(&player)...)
		b.players[player.ID] = &row[tally.Player]{before: player, now: player}
		return err
	})
}

// each gives every row of a query whose last argument is ids, as a JSON list.
func (b *book) each(statement *sql.Stmt, ids map[int64]bool, take func(*sql.Rows) error, args ...any) error {
	list := make([]int64, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(b.ctx, append(args, string(text))...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := take(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
