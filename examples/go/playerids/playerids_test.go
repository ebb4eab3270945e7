package playerids

import (
	"context"
	"math"
	"sync"
	"testing"

	"github.com/google/uuid"
)

func TestAPlayerKeepsItsIDAndTheWayBackIsKnown(t *testing.T) {
	store := NewMemory(10)
	player := uuid.New()
	first, err := New(store).Of(t.Context(), player)
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(store).Of(t.Context(), player) // another service, the same store
	if err != nil || again != first {
		t.Errorf("%d, then %d, %v", first, again, err)
	}
	if back, ok := store.Player(first); !ok || back != player {
		t.Errorf("id %d is %s's, %v; want %s", first, back, ok, player)
	}
}

func TestPlayersWhoseHashesCollideHaveDifferentIDs(t *testing.T) {
	ids := New(NewMemory(10))
	ids.hash = func(_ uuid.UUID, seed uint64) uint64 { return seed } // all collide, and the first is nobody's id
	seen := make(map[uint64]bool)
	for range 5 {
		id, err := ids.Of(t.Context(), uuid.New())
		if err != nil {
			t.Fatal(err)
		}
		if id == 0 || seen[id] {
			t.Errorf("id %d was given twice, or is nobody's", id)
		}
		seen[id] = true
	}
}

func TestAllSeedsTakenIsAnErrorAndNeverASharedID(t *testing.T) {
	ids := New(NewMemory(10))
	ids.hash = func(uuid.UUID, uint64) uint64 { return 1 }
	if _, err := ids.Of(t.Context(), uuid.New()); err != nil {
		t.Fatal(err)
	}
	if id, err := ids.Of(t.Context(), uuid.New()); err == nil {
		t.Errorf("a second player has id %d too", id)
	}
}

func TestAFullStoreRefusesAndForgetsNobody(t *testing.T) {
	ids, known := New(NewMemory(1)), uuid.New()
	first, err := ids.Of(t.Context(), known)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ids.Of(t.Context(), uuid.New()); err == nil {
		t.Error("a store of one took a second player")
	}
	if again, err := ids.Of(t.Context(), known); err != nil || again != first {
		t.Errorf("the first player's id is now %d, %v; want %d", again, err, first)
	}
}

func TestServicesThatSeeAPlayerAtTheSameTimeAgree(t *testing.T) {
	const services = 8
	store, player := NewMemory(10), uuid.New()
	var got [services]uint64
	var all sync.WaitGroup
	for service := range services {
		all.Go(func() { got[service], _ = New(store).Of(context.Background(), player) })
	}
	all.Wait()
	for _, id := range got {
		if id == 0 || id != got[0] {
			t.Errorf("the services disagree: %v", got)
		}
	}
}

// TestTheFiguresOfTheDocAreTheBirthdayBound keeps the table of docs/adopting.md true:
// among n players with b random bits, about n²/2^(b+1) pairs share an id.
func TestTheFiguresOfTheDocAreTheBirthdayBound(t *testing.T) {
	pairs := func(players, bits float64) float64 { return players * players / math.Exp2(bits+1) }
	const hour, year = 3.6e6, 3.156e10 // in ms
	v7 := func(players, ms float64) float64 { return pairs(players, math.Log2(ms*(1<<12))) }
	for _, figure := range []struct {
		what      string
		got, want float64
	}{
		{"XXH64, 10⁶ players", pairs(1e6, 64), 2.7e-8},
		{"XXH64, 10⁸ players", pairs(1e8, 64), 2.7e-4},
		{"low half, 10⁶ players", pairs(1e6, 62), 1.1e-7},
		{"low half, 10⁸ players", pairs(1e8, 62), 1.1e-3},
		{"high half of v4, 10⁶ players", pairs(1e6, 60), 4.3e-7},
		{"high half of v4, 10⁸ players", pairs(1e8, 60), 4.3e-3},
		{"high half of v7, 10⁶ players over a year", v7(1e6, year), 3.9e-3},
		{"high half of v7, 10⁸ players over a year", v7(1e8, year), 39},
		{"high half of v7, 10⁶ players in an hour", v7(1e6, hour), 34},
	} {
		if math.Abs(figure.got-figure.want) > 0.02*figure.want {
			t.Errorf("%s: %.3g, want %.3g", figure.what, figure.got, figure.want)
		}
	}
}
