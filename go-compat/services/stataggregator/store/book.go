package store

import (
	"context"
	"database/sql"
	"errors"

	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

// statements are prepared once: parsing them would cost more than running them.
type statements struct {
	hunt, seat, player                *sql.Stmt
	seatsOf, playersOf                *sql.Stmt
	putHunt, putSeat, putPlayer, have *sql.Stmt
}

func (s *statements) prepare(ctx context.Context, db *sql.DB) error {
	for _, statement := range []struct {
		into **sql.Stmt
		text string
	}{
		{&s.hunt, huntsTable.selecting("WHERE hunt_id = ?")},
		{&s.seat, seatsTable.selecting("WHERE hunt_id = ? AND player_id = ?")},
		{&s.player, playersTable.selecting("WHERE player_id = ?")},
		{&s.seatsOf, seatsTable.selecting("WHERE hunt_id = ? AND player_id IN (SELECT value FROM json_each(?))")},
		{&s.playersOf, playersTable.selecting("WHERE player_id IN (SELECT value FROM json_each(?))")},
		{&s.putHunt, huntsTable.upsert()},
		{&s.putSeat, seatsTable.upsert()},
		{&s.putPlayer, playersTable.upsert()},
		{&s.have, `INSERT INTO power_ups (player_id, name, picked, used) VALUES (?, ?, ?, ?)
			ON CONFLICT (player_id, name) DO UPDATE SET picked = picked + excluded.picked, used = used + excluded.used`},
	} {
		prepared, err := db.PrepareContext(ctx, statement.text)
		if err != nil {
			return err
		}
		*statement.into = prepared
	}
	return nil
}

func (s *statements) in(ctx context.Context, tx *sql.Tx) statements {
	return statements{
		hunt: tx.StmtContext(ctx, s.hunt), seat: tx.StmtContext(ctx, s.seat), player: tx.StmtContext(ctx, s.player),
		seatsOf: tx.StmtContext(ctx, s.seatsOf), playersOf: tx.StmtContext(ctx, s.playersOf),
		putHunt: tx.StmtContext(ctx, s.putHunt), putSeat: tx.StmtContext(ctx, s.putSeat),
		putPlayer: tx.StmtContext(ctx, s.putPlayer), have: tx.StmtContext(ctx, s.have),
	}
}

type seatKey struct {
	hunt   string
	player uint64
}

type powerUpKey struct {
	player uint64
	name   string
}

// row is a row as it was read, and as it is now.
type row[T comparable] struct{ before, now T }

// book is a [tally.Book] over one transaction: rows are read when they are asked
// for, and written once, however many records changed them.
type book struct {
	ctx        context.Context // of the transaction, which the book does not outlive
	statements statements
	hunts      map[string]*tally.Hunt
	seats      map[seatKey]*row[tally.Seat]
	players    map[uint64]*row[tally.Player]
	powerUps   map[powerUpKey]*PowerUp
}

func newBook(ctx context.Context, tx *sql.Tx, statements *statements) *book {
	return &book{
		ctx:        ctx,
		statements: statements.in(ctx, tx),
		hunts:      make(map[string]*tally.Hunt),
		seats:      make(map[seatKey]*row[tally.Seat]),
		players:    make(map[uint64]*row[tally.Player]),
		powerUps:   make(map[powerUpKey]*PowerUp),
	}
}

// Hunt implements [tally.Book].
func (b *book) Hunt(id string) (*tally.Hunt, error) {
	if hunt := b.hunts[id]; hunt != nil {
		return hunt, nil
	}
	hunt := &tally.Hunt{ID: id}
	if err := b.read(b.statements.hunt, huntFields(hunt), id); err != nil {
		return nil, err
	}
	b.hunts[id] = hunt
	return hunt, nil
}

// Seat implements [tally.Book].
func (b *book) Seat(hunt string, player uint64) (*tally.Seat, error) {
	key := seatKey{hunt, player}
	if seat := b.seats[key]; seat != nil {
		return &seat.now, nil
	}
	seat := &row[tally.Seat]{now: tally.Seat{Hunt: hunt, Player: player}}
	if err := b.read(b.statements.seat, seatFields(&seat.now), hunt, wide(player)); err != nil {
		return nil, err
	}
	seat.before = seat.now
	b.seats[key] = seat
	return &seat.now, nil
}

// Player implements [tally.Book].
func (b *book) Player(id uint64) (*tally.Player, error) {
	if player := b.players[id]; player != nil {
		return &player.now, nil
	}
	player := &row[tally.Player]{now: tally.Player{ID: id}}
	if err := b.read(b.statements.player, playerFields(&player.now), wide(id)); err != nil {
		return nil, err
	}
	player.before = player.now
	b.players[id] = player
	return &player.now, nil
}

// PowerUp implements [tally.Book].
func (b *book) PowerUp(player uint64, name string, picked, used uint64) {
	key := powerUpKey{player, name}
	if b.powerUps[key] == nil {
		b.powerUps[key] = &PowerUp{}
	}
	b.powerUps[key].Picked += picked
	b.powerUps[key].Used += used
}

// read fills a row's fields, or leaves them as they are if there is none.
func (b *book) read(statement *sql.Stmt, fields []any, key ...any) error {
	err := statement.QueryRowContext(b.ctx, key...).Scan(fields...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// write puts what changed into the transaction.
func (b *book) write() error {
	put := func(statement *sql.Stmt, fields []any) error {
		_, err := statement.ExecContext(b.ctx, fields...)
		return err
	}
	for _, hunt := range b.hunts {
		if err := put(b.statements.putHunt, huntFields(hunt)); err != nil {
			return err
		}
	}
	for _, seat := range b.seats {
		if seat.now == seat.before {
			continue
		}
		if err := put(b.statements.putSeat, seatFields(&seat.now)); err != nil {
			return err
		}
	}
	for _, player := range b.players {
		if player.now == player.before {
			continue
		}
		if err := put(b.statements.putPlayer, playerFields(&player.now)); err != nil {
			return err
		}
	}
	for key, had := range b.powerUps {
		if err := put(b.statements.have, []any{wide(key.player), key.name, wide(had.Picked), wide(had.Used)}); err != nil {
			return err
		}
	}
	return nil
}
