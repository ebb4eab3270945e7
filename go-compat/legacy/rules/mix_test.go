package rules

import (
	"fmt"
	"sync"
	"testing"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// mix is the load of the Rust benches, command for command (benches/game/mod.rs says
// what it is): so both engines can be held beside each other, each alone.
type mix struct {
	hunts   map[string]*locked
	ids     []string
	places  [][2]uint32 // where each player was seen last
	random  uint64
	request uint64
	applied int
}

// locked is a hunt as an owner has it.
type locked struct {
	sync.Mutex
	*Hunt
}

const (
	mixPlayers = 250 // of each hunt
	mixSide    = 128
)

func newMix(tb testing.TB, hunts int) *mix {
	ruleset := classic(tb)
	m := &mix{hunts: make(map[string]*locked), places: make([][2]uint32, hunts*mixPlayers), random: 1}
	for n := range hunts {
		id := fmt.Sprintf("bench-hunt-%06d", n)
		settings := &pb.HuntSettings{
			Seed: uint64(n), Width: mixSide, Height: mixSide, Treasures: 4000, Caches: 4000, MaxPlayers: mixPlayers, DurationMs: 1 << 31,
		}
		m.ids = append(m.ids, id)
		m.hunts[id] = &locked{Hunt: Create(id, settings, ruleset, 1, 0)}
	}
	for n := range m.places {
		m.ask(tb, n, Command{Action: Join})
	}
	return m
}

func (m *mix) draw(below uint64) uint64 {
	m.random = m.random*6364136223846793005 + 1
	return (m.random >> 33) % below
}

// turn is the next command of the mix.
func (m *mix) turn(tb testing.TB) {
	n := int(m.draw(uint64(len(m.places))))
	var cmd Command
	switch m.draw(10) {
	case 0, 1:
		cmd.Action = Dig
	case 2:
		cmd.Action = PickUp
	case 3:
		cmd.Action = UsePowerUp
		switch m.draw(4) {
		case 0:
			cmd.PowerUp = "shield"
		case 1:
			cmd.PowerUp = "spyglass"
		case 2:
			cmd.PowerUp = "blizzard"
		default:
			cmd.PowerUp, cmd.Target = "freeze_ray", 1+uint64(n+1)%mixPlayers
		}
	default:
		cmd.Action = Move
		step := func(from uint32) uint32 { return min(max(from+uint32(m.draw(3)), 1), mixSide) - 1 }
		cmd.X = step(m.places[n][0])
		cmd.Y = step(m.places[n][1])
	}
	m.ask(tb, n, cmd)
}

func (m *mix) ask(tb testing.TB, n int, cmd Command) {
	m.request++
	cmd.PlayerID, cmd.RequestID = 1+uint64(n%mixPlayers), m.request
	hunt := m.hunts[m.ids[n/mixPlayers]]
	hunt.Lock()
	outcome, err := hunt.Apply(cmd, int64(m.request/10_000))
	hunt.Unlock()
	if err != nil {
		tb.Fatal(err)
	}
	if player := outcome.GetPlayer(); player != nil {
		m.places[n] = [2]uint32{player.GetX(), player.GetY()}
	}
	if outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED {
		m.applied++
	}
}

// BenchmarkMix has a million players, as `cargo run --release --example engine_load` has.
func BenchmarkMix(b *testing.B) {
	m := newMix(b, 4000)
	m.applied = 0
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		m.turn(b)
	}
	b.ReportMetric(float64(m.applied)/float64(b.N), "applied/op")
}
