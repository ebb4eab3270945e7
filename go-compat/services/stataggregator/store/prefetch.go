package store

import (
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

// prefetch reads the rows that a page names, a table at a time. One by one they
// would be half of what counting costs, and more where the database is elsewhere.
// What it misses is read when it is counted.
func (b *book) prefetch(records []*pb.Record) error {
	for _, record := range records {
		if playerstate.CheckHuntID(record.GetHuntId()) != nil {
			continue
		}
		b.read[record.GetHuntId()] = &tally.Hunt{ID: record.GetHuntId()}
		applied := record.GetApplied()
		b.expect(record.GetHuntId(), applied.GetCommand().GetPlayerId())
		for _, impact := range applied.GetOutcome().GetImpacts() {
			b.expect(record.GetHuntId(), impact.GetPlayerId())
		}
	}
	var hunts, seats, players [][]any
	for hunt := range b.read {
		hunts = append(hunts, []any{hunt})
	}
	for seat := range b.seats {
		seats = append(seats, []any{seat.hunt, wide(seat.player)})
	}
	for player := range b.players {
		players = append(players, []any{wide(player)})
	}
	if err := each(b, huntsListed, hunts, huntFields, func(hunt tally.Hunt) {
		b.read[hunt.ID] = &hunt
	}); err != nil {
		return err
	}
	if err := each(b, seatsListed, seats, seatFields, func(seat tally.Seat) {
		b.seats[seatKey{seat.Hunt, seat.Player}] = &row[tally.Seat]{before: seat, now: seat}
	}); err != nil {
		return err
	}
	return each(b, playersListed, players, playerFields, func(player tally.Player) {
		b.players[player.ID] = &row[tally.Player]{before: player, now: player}
	})
}

// expect takes a player's rows for new ones until they were read.
func (b *book) expect(hunt string, player uint64) {
	if player == 0 {
		return
	}
	seat := tally.Seat{Hunt: hunt, Player: player}
	b.seats[seatKey{hunt, player}] = &row[tally.Seat]{before: seat, now: seat}
	b.players[player] = &row[tally.Player]{before: tally.Player{ID: player}, now: tally.Player{ID: player}}
}

// each gives every row whose keys are listed.
func each[T any](b *book, which int, keys [][]any, fields func(*T) []any, take func(T)) error {
	if len(keys) == 0 {
		return nil
	}
	list, err := listOf(keys)
	if err != nil {
		return err
	}
	rows, err := b.statement(which).QueryContext(b.ctx, list)
	all, err := collect(rows, err, fields)
	for _, row := range all {
		take(row)
	}
	return err
}
