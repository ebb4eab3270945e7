package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"time"

	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

// What is said within a transaction.
const (
	huntOf = iota
	seatOf
	playerOf
	huntsListed
	seatsListed
	playersListed
	putHunts
	putSeats
	putPlayers
	addPowerUps
	addAlarms
	forgetAlarms
	statementCount
)

func (d dialect) statements() [statementCount]string {
	return [...]string{
		huntOf:        huntsTable.selecting("WHERE hunt_id = $1"),
		seatOf:        seatsTable.selecting("WHERE hunt_id = $1 AND player_id = $2"),
		playerOf:      playersTable.selecting("WHERE player_id = $1"),
		huntsListed:   d.selectingListed(huntsTable),
		seatsListed:   d.selectingListed(seatsTable),
		playersListed: d.selectingListed(playersTable),
		putHunts:      d.putting(huntsTable, replaced),
		putSeats:      d.putting(seatsTable, replaced),
		putPlayers:    d.putting(playersTable, replaced),
		addPowerUps:   d.putting(powerUpsTable, added),
		addAlarms:     d.inserting(alarmsTable),
		forgetAlarms:  "DELETE FROM alarms WHERE id <= (SELECT id FROM alarms ORDER BY id DESC LIMIT 1 OFFSET $1)",
	}
}

// statements are prepared once: parsing them would cost more than running them.
type statements [statementCount]*sql.Stmt

func (s *statements) prepare(ctx context.Context, db *sql.DB, d dialect) (err error) {
	for i, text := range d.statements() {
		if s[i], err = db.PrepareContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
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

// book is a [tally.Book] over one transaction: rows are read before they are asked
// for or when they are, and written once, however many records changed them.
type book struct {
	ctx        context.Context // of the transaction, which the book does not outlive
	tx         *sql.Tx
	dialect    dialect
	statements *statements
	read       map[string]*tally.Hunt // as they were, in case they are asked for
	hunts      map[string]*tally.Hunt
	seats      map[seatKey]*row[tally.Seat]
	players    map[uint64]*row[tally.Player]
	powerUps   map[powerUpKey]*PowerUp
}

func newBook(ctx context.Context, tx *sql.Tx, dialect dialect, statements *statements) *book {
	return &book{
		ctx:        ctx,
		tx:         tx,
		dialect:    dialect,
		statements: statements,
		read:       make(map[string]*tally.Hunt),
		hunts:      make(map[string]*tally.Hunt),
		seats:      make(map[seatKey]*row[tally.Seat]),
		players:    make(map[uint64]*row[tally.Player]),
		powerUps:   make(map[powerUpKey]*PowerUp),
	}
}

// statement is a prepared one, within the transaction.
func (b *book) statement(which int) *sql.Stmt { return b.tx.StmtContext(b.ctx, b.statements[which]) }

// Hunt implements [tally.Book].
func (b *book) Hunt(id string) (*tally.Hunt, error) {
	if hunt := b.hunts[id]; hunt != nil {
		return hunt, nil
	}
	hunt := b.read[id]
	if hunt == nil {
		hunt = &tally.Hunt{ID: id}
		if err := b.fill(huntFields(hunt), huntOf, id); err != nil {
			return nil, err
		}
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
	if err := b.fill(seatFields(&seat.now), seatOf, hunt, wide(player)); err != nil {
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
	if err := b.fill(playerFields(&player.now), playerOf, wide(id)); err != nil {
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

// fill reads a row's fields, or leaves them as they are if there is none.
func (b *book) fill(fields []any, which int, key ...any) error {
	err := b.statement(which).QueryRowContext(b.ctx, key...).Scan(fields...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// write puts what changed into the transaction.
func (b *book) write() error {
	var hunts, seats, players, powerUps [][]any
	for _, hunt := range b.hunts {
		hunts = append(hunts, huntFields(hunt))
	}
	for _, seat := range b.seats {
		if seat.now != seat.before {
			seats = append(seats, seatFields(&seat.now))
		}
	}
	for _, player := range b.players {
		if player.now != player.before {
			players = append(players, playerFields(&player.now))
		}
	}
	for key, had := range b.powerUps {
		powerUps = append(powerUps, []any{wide(key.player), key.name, wide(had.Picked), wide(had.Used)})
	}
	for which, rows := range map[int][][]any{putHunts: hunts, putSeats: seats, putPlayers: players, addPowerUps: powerUps} {
		if err := b.put(which, rows); err != nil {
			return err
		}
	}
	return nil
}

// keepAlarms keeps the newest alarms. Of more than are kept, the rest would be
// forgotten at once.
func (b *book) keepAlarms(alarms []tally.Alarm, now time.Time) error {
	if len(alarms) == 0 {
		return nil
	}
	var rows [][]any
	for _, alarm := range alarms[max(0, len(alarms)-AlarmsMax):] {
		rows = append(rows, alarmFields(&Alarm{Alarm: alarm, AtMs: now.UnixMilli()}))
	}
	if err := b.put(addAlarms, rows); err != nil {
		return err
	}
	_, err := b.statement(forgetAlarms).ExecContext(b.ctx, AlarmsMax)
	return err
}

func (b *book) put(which int, rows [][]any) error {
	arguments := rows
	if b.dialect.together && len(rows) > 0 {
		list, err := listOf(rows)
		if err != nil {
			return err
		}
		arguments = [][]any{{list}}
	}
	statement := b.statement(which)
	for _, row := range arguments {
		if _, err := statement.ExecContext(b.ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

// listOf is rows as one argument: a JSON list of lists.
func listOf(rows [][]any) (string, error) {
	list := make([][]any, len(rows))
	for i, row := range rows {
		list[i] = make([]any, len(row))
		for j, field := range row {
			value, err := driver.DefaultParameterConverter.ConvertValue(field)
			if err != nil {
				return "", err
			}
			list[i][j] = value
		}
	}
	text, err := json.Marshal(list)
	return string(text), err
}
