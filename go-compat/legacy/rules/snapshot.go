package rules

import (
	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

const snapshotFormat = 1

// Snapshot is everything that the hunt is. Engines in the same state write the
// same bytes.
func (h *Hunt) Snapshot() *pb.HuntSnapshot {
	s := h.head()
	s.Settings = plainSettings(h.settings) // the caller's own
	for i := range h.treasures.cells {
		if !h.treasures.taken[i] {
			s.Treasures = append(s.Treasures, h.treasureAt(i))
		}
	}
	for i, cell := range h.caches.cells {
		if !h.caches.taken[i] {
			x, y := h.board.place(cell)
			s.Caches = append(s.Caches, &pb.Cache{X: x, Y: y, PowerUp: h.caches.values[i]})
		}
	}
	for _, place := range h.roster.ascending() {
		s.Players = append(s.Players, h.playerSnapshot(place))
	}
	return s
}

// head is the snapshot without treasures, caches and players.
func (h *Hunt) head() *pb.HuntSnapshot {
	return &pb.HuntSnapshot{
		Format:       snapshotFormat,
		HuntId:       h.id,
		Settings:     h.settings,
		RulesetHash:  h.ruleset.hash,
		Epoch:        h.epoch,
		Sequence:     h.sequence,
		StartsAtMs:   h.startsAt,
		LastAtMs:     h.lastAt,
		RandomState:  h.random.state,
		Ended:        h.ended,
		RulesVersion: Version,
	}
}

func (h *Hunt) playerSnapshot(place int) *pb.PlayerSnapshot {
	p := &h.roster.players[place]
	s := &pb.PlayerSnapshot{
		PlayerId:        h.roster.ids[place],
		Present:         p.present(),
		X:               uint32(p.x),
		Y:               uint32(p.y),
		Score:           p.score,
		Version:         p.version,
		Inventory:       make([]uint32, len(h.ruleset.powerUps)),
		CooldownUntilMs: p.cooldownUntil,
	}
	for i := range s.Inventory {
		s.Inventory[i] = p.held(i)
	}
	for i, until := range p.until {
		if until == 0 { // never set, or ended
			continue
		}
		s.Effects = append(s.Effects, &pb.TimedEffect{
			Kind:      pb.EffectKind_EFFECT_KIND_SHIELD + pb.EffectKind(i),
			Magnitude: uint32(p.magnitude[i]),
			UntilMs:   until,
		})
	}
	for _, r := range h.roster.remembered[place] {
		if r.request != 0 {
			s.Remembered = append(s.Remembered, &pb.Remembered{RequestId: r.request, Sequence: r.sequence})
		}
	}
	return s
}
