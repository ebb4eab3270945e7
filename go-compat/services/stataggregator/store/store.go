// Package store keeps what was counted, and how far each feed was read.
//
// What must stay true: an answer of a feed and the cursor behind it are kept in
// one transaction, or neither is. Whatever dies in between, the next read begins
// where counting stopped.
package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

// ErrNotFound says that there is no such hunt, player or board.
var ErrNotFound = errors.New("not found")

// ErrAway says that the database is not there, or not now.
var ErrAway = errors.New("the database is away")

// ErrDamaged says that a file is no database of SQLite, or not any more.
var ErrDamaged = errors.New("restore the file, or name another one")

// Store keeps statistics. Safe for concurrent use.
type Store interface {
	// Cursor is where a feed is read on; nil: from its oldest record.
	Cursor(ctx context.Context, feed string) ([]byte, error)
	// Count counts an answer of a feed, and keeps its cursor with it. On an error
	// nothing of it is kept.
	Count(ctx context.Context, feed string, answer *pb.ReadRecordsResponse) (*tally.Page, error)

	Reader
	Close() error
}

// Reader is what the API asks for. Lists are in order of their ids, behind after.
type Reader interface {
	Feed(ctx context.Context, name string) (Feed, error)
	// Missing is how many records are missing in all hunts, and would be counted if
	// they came.
	Missing(ctx context.Context) (uint64, error)
	Hunt(ctx context.Context, id string) (*tally.Hunt, error)
	Hunts(ctx context.Context, after string, limit int) ([]tally.Hunt, error)
	Seats(ctx context.Context, hunt string, after uint64, limit int) ([]tally.Seat, error)
	Player(ctx context.Context, id uint64) (*Player, error)
	// Leaders is the best of a board, best first; ties by the smaller player id.
	Leaders(ctx context.Context, board Board, limit int) ([]Leader, error)
	// Alarms is the newest, newest first.
	Alarms(ctx context.Context, limit int) ([]Alarm, error)
}

// Feed is how far a feed was read.
type Feed struct {
	Cursor     []byte
	Records    uint64 // counted
	Duplicates uint64
	Gaps       uint64 // that the feed told of
	NewestMs   int64  // the highest stamp seen, Unix milliseconds
}

// Player is a player with the power-ups that they had.
type Player struct {
	tally.Player
	PowerUps []PowerUp // by name
}

// PowerUp is how often a player had one.
type PowerUp struct {
	Name   string `json:"name"`
	Picked uint64 `json:"picked_up"`
	Used   uint64 `json:"used"`
}

// Board is a leaderboard.
type Board string

const (
	Score     Board = "score"      // in all hunts together
	BestHunt  Board = "best-hunt"  // in one hunt; a player can stand there more than once
	Treasures Board = "treasures"  // dug up, in all hunts together
	HitsGiven Board = "hits-given" // likewise
)

// Boards is all of them.
var Boards = []Board{Score, BestHunt, Treasures, HitsGiven}

// Leader is one place of a board.
type Leader struct {
	Player uint64 `json:"player_id,string"`
	Hunt   string `json:"hunt_id,omitempty"` // of BestHunt
	Value  int64  `json:"value"`
}

// AlarmsMax is how many alarms are kept: the newest. Metrics count all.
const AlarmsMax = 1000

// Alarm is an alarm with the time at which it was raised.
type Alarm struct {
	tally.Alarm
	AtMs int64 // Unix
}

var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):(.*)$`)

const write = "write sqlite:PATH, a path, or postgres://USER@HOST/DATABASE"

// Open opens the store that a DSN names: sqlite:PATH, a path, or postgres://….
func Open(ctx context.Context, dsn string) (Store, error) {
	path := dsn
	if parts := scheme.FindStringSubmatch(dsn); parts != nil {
		switch parts[1] {
		case "sqlite":
			path = parts[2]
		case "postgres", "postgresql":
			return openPostgres(ctx, dsn)
		default:
			return nil, fmt.Errorf("store %s:… is of a kind that this build does not have; %s", parts[1], write)
		}
	}
	if path == "" {
		return nil, fmt.Errorf("the store has no path; %s", write)
	}
	return openSQLite(ctx, path)
}
