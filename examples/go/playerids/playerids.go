// Package playerids gives players that are known by UUID the ids of 64 bits that
// the schema has.
//
// 128 bits do not fit into 64, so two players can come to one id, and would then
// play as one. The ids here cannot: an id is taken from the UUID by hashing, and
// belongs to whom the store says it does. A player whose id is somebody else's gets
// the hash under the next seed. At 10⁶ players that happens with a probability of
// 3 in 10⁸, and costs one more look.
package playerids

import (
	"context"
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"
)

// seedsMax is how many ids are tried for a player. A store in which so many are
// somebody else's is not one of these ids.
const seedsMax = 8

// Store keeps whose an id is. In a database it is a table with the id as its
// primary key, which all services of the shard share:
//
//	INSERT INTO player_ids (id, player) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING;
//	SELECT player FROM player_ids WHERE id = $1;
type Store interface {
	// Claim makes id player's, unless it is somebody's, and says whose it is now.
	Claim(ctx context.Context, id uint64, player uuid.UUID) (uuid.UUID, error)
}

// IDs gives players their ids. Safe for concurrent use if its store is.
type IDs struct {
	store Store
	hash  func(player uuid.UUID, seed uint64) uint64
}

// New makes IDs over a store.
func New(store Store) *IDs { return &IDs{store: store, hash: hash} }

// Of is the id of player: always the same, never another's, never 0.
func (ids *IDs) Of(ctx context.Context, player uuid.UUID) (uint64, error) {
	for seed := range uint64(seedsMax) {
		id := ids.hash(player, seed)
		if id == 0 { // the schema's word for nobody
			continue
		}
		owner, err := ids.store.Claim(ctx, id, player)
		if err != nil {
			return 0, fmt.Errorf("the id of player %s: %w", player, err)
		}
		if owner == player {
			return id, nil
		}
	}
	return 0, fmt.Errorf("player %s: the ids of all %d seeds are other players'; is the store that of these ids?", player, seedsMax)
}

// hash is XXH64. Whoever may choose his own UUID can choose one that collides: the
// store still keeps the two apart.
func hash(player uuid.UUID, seed uint64) uint64 {
	digest := xxhash.NewWithSeed(seed)
	_, _ = digest.Write(player[:]) // never fails
	return digest.Sum64()
}

// Memory is a Store for tests, and for a shard whose players are gone with it. It
// holds max players.
type Memory struct {
	max     int
	mu      sync.Mutex // guards players
	players map[uint64]uuid.UUID
}

// NewMemory makes an empty store.
func NewMemory(max int) *Memory { return &Memory{max: max, players: make(map[uint64]uuid.UUID)} }

// Claim implements [Store].
func (m *Memory) Claim(_ context.Context, id uint64, player uuid.UUID) (uuid.UUID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if owner, ok := m.players[id]; ok {
		return owner, nil
	}
	if len(m.players) == m.max {
		return uuid.Nil, fmt.Errorf("%d players are known, as many as this store holds", m.max)
	}
	m.players[id] = player
	return player, nil
}

// Player is whose id it is: the way back, for standings and statistics.
func (m *Memory) Player(id uint64) (uuid.UUID, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	player, ok := m.players[id]
	return player, ok
}
