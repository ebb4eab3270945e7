package rules

import (
	"fmt"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// Restore makes a hunt of a snapshot, which says what the same hunt said before.
// It refuses a snapshot of another format, rules version or ruleset, and one
// that no hunt can have come to; the error names the field.
func Restore(s *pb.HuntSnapshot, ruleset *Ruleset) (*Hunt, error) {
	if err := checkHead(s, ruleset); err != nil {
		return nil, err
	}
	h := &Hunt{
		id:       s.GetHuntId(),
		settings: plainSettings(s.GetSettings()),
		ruleset:  ruleset,
		board:    board{width: s.GetSettings().GetWidth(), height: s.GetSettings().GetHeight()},
		epoch:    s.GetEpoch(),
		sequence: s.GetSequence(),
		startsAt: s.GetStartsAtMs(),
		lastAt:   s.GetLastAtMs(),
		ended:    s.GetEnded(),
		random:   splitMix{state: s.GetRandomState()},
		roster:   newRoster(),
	}
	if h.ended {
		h.endedAt = h.lastAt
	}
	if err := h.restorePlaced(s); err != nil {
		return nil, err
	}
	if err := h.restorePlayers(s); err != nil {
		return nil, err
	}
	return h, nil
}

func checkHead(s *pb.HuntSnapshot, ruleset *Ruleset) error {
	switch {
	case s.GetFormat() != snapshotFormat:
		return wrongSnapshot("format", "is %d; this engine reads %d", s.GetFormat(), snapshotFormat)
	case s.GetRulesVersion() != Version:
		return wrongSnapshot("rules_version", "is %d; this engine plays rules version %d", s.GetRulesVersion(), Version)
	case s.GetRulesetHash() != ruleset.Hash():
		return wrongSnapshot("ruleset_hash", "is %s; the ruleset's is %s", s.GetRulesetHash(), ruleset.Hash())
	case s.GetEpoch() == 0:
		return wrongSnapshot("epoch", "is 0; an owner's first is 1")
	case s.GetSequence() == 0:
		return wrongSnapshot("sequence", "is 0; creating is 1")
	case s.GetLastAtMs() < s.GetStartsAtMs():
		return wrongSnapshot("last_at_ms", "%d is before starts_at_ms %d", s.GetLastAtMs(), s.GetStartsAtMs())
	}
	if f := playerstate.CheckHuntID(s.GetHuntId()); f != nil {
		return f
	}
	if f := playerstate.CheckSettings(s.GetSettings()); f != nil {
		return f
	}
	return nil
}

func wrongSnapshot(field, format string, args ...any) error {
	return fmt.Errorf("snapshot: %s: %s", field, fmt.Sprintf(format, args...))
}

func (h *Hunt) restorePlaced(s *pb.HuntSnapshot) error {
	h.treasures = newPlaced(len(s.GetTreasures()))
	for i, t := range s.GetTreasures() {
		if v := t.GetValue(); v < worthStep || v > worthMax || v%worthStep != 0 {
			return wrongSnapshot(index("treasures", i), "value %d is not one of %d, %d … %d", v, worthStep, 2*worthStep, worthMax)
		}
		if err := h.treasures.restore(h.board, t.GetX(), t.GetY(), t.GetValue()); err != nil {
			return wrongSnapshot(index("treasures", i), "%v", err)
		}
	}
	h.caches = newPlaced(len(s.GetCaches()))
	for i, c := range s.GetCaches() {
		if int64(c.GetPowerUp()) >= int64(len(h.ruleset.powerUps)) {
			return wrongSnapshot(index("caches", i), "power_up %d is not in the ruleset", c.GetPowerUp())
		}
		if err := h.caches.restore(h.board, c.GetX(), c.GetY(), c.GetPowerUp()); err != nil {
			return wrongSnapshot(index("caches", i), "%v", err)
		}
	}
	if h.treasures.left > int(h.settings.GetTreasures()) || h.caches.left > int(h.settings.GetCaches()) {
		return wrongSnapshot("treasures, caches", "are %d and %d, more than the settings placed", h.treasures.left, h.caches.left)
	}
	h.digest.placeAll(h.board, seedTreasure, &h.treasures)
	h.digest.placeAll(h.board, seedCache, &h.caches)
	return nil
}

// restore adds what lies at a cell, which has to be on the board and above the
// one before.
func (p *placed) restore(b board, x, y, value uint32) error {
	if x >= b.width || y >= b.height {
		return fmt.Errorf("(%d, %d) is not on the board", x, y)
	}
	cell := b.cell(uint16(x), uint16(y))
	if n := len(p.cells); n > 0 && p.cells[n-1] >= cell {
		return fmt.Errorf("(%d, %d) does not come after the cell before it, by y then x", x, y)
	}
	p.add(cell, value)
	return nil
}

func (h *Hunt) restorePlayers(s *pb.HuntSnapshot) error {
	last, scores := uint64(0), uint64(0)
	for i, p := range s.GetPlayers() {
		if p.GetPlayerId() <= last {
			return wrongSnapshot(index("players", i), "player_id %d does not come after %d", p.GetPlayerId(), last)
		}
		last = p.GetPlayerId()
		if p.GetScore() > maxScoreSum-scores {
			return wrongSnapshot(index("players", i), "the scores come to over 2^53")
		}
		scores += p.GetScore()
		if err := h.restorePlayer(p); err != nil {
			return wrongSnapshot(index("players", i), "%v", err)
		}
	}
	most := int(h.settings.GetMaxPlayers())
	if h.roster.present > most || h.Joined() > 2*most {
		return wrongSnapshot("players", "%d joined and %d are present; max_players is %d", h.Joined(), h.roster.present, most)
	}
	return nil
}

func (h *Hunt) restorePlayer(s *pb.PlayerSnapshot) error {
	if s.GetX() >= h.board.width || s.GetY() >= h.board.height {
		return fmt.Errorf("(%d, %d) is not on the board", s.GetX(), s.GetY())
	}
	p := player{
		x:             uint16(s.GetX()),
		y:             uint16(s.GetY()),
		score:         s.GetScore(),
		version:       s.GetVersion(),
		cooldownUntil: s.GetCooldownUntilMs(),
	}
	p.setPresent(s.GetPresent())
	if err := p.restoreInventory(s.GetInventory(), len(h.ruleset.powerUps)); err != nil {
		return err
	}
	// An end is at most an effect's longest time after the hunt's.
	latest := int64(h.settings.GetDurationMs()) + maxDurationMs
	if until := int64(s.GetCooldownUntilMs()); until > latest {
		return fmt.Errorf("cooldown_until_ms is %d, at most %d", until, latest)
	}
	if err := p.restoreEffects(s.GetEffects(), latest); err != nil {
		return err
	}
	place := h.roster.add(s.GetPlayerId(), p)
	h.digest.join(place)
	if p.present() {
		h.roster.present++
	}
	return h.roster.remembered[place].restore(s.GetRemembered(), h.sequence)
}

func (p *player) restoreInventory(counts []uint32, kinds int) error {
	if len(counts) != kinds {
		return fmt.Errorf("inventory has %d counts, the ruleset %d power-ups", len(counts), kinds)
	}
	for i, count := range counts {
		if count > maxHeld {
			return fmt.Errorf("inventory[%d] is %d, at most %d are held", i, count, maxHeld)
		}
		p.inventory |= uint64(count) << (4 * i)
	}
	return nil
}

func (p *player) restoreEffects(effects []*pb.TimedEffect, latest int64) error {
	last := pb.EffectKind_EFFECT_KIND_UNSPECIFIED
	for _, e := range effects {
		if !isTimed(e.GetKind()) || e.GetKind() <= last {
			return fmt.Errorf("effects: %v is no timed kind, or not after %v", e.GetKind(), last)
		}
		last = e.GetKind()
		least, most := magnitudes(e.GetKind())
		if m := int64(e.GetMagnitude()); m < least || m > most {
			return fmt.Errorf("effects: %v has magnitude %d, must be %d to %d", e.GetKind(), m, least, most)
		}
		if until := int64(e.GetUntilMs()); until == 0 || until > latest {
			return fmt.Errorf("effects: %v has until_ms %d, must be 1 to %d", e.GetKind(), until, latest)
		}
		p.until[slot(e.GetKind())] = e.GetUntilMs()
		p.magnitude[slot(e.GetKind())] = uint8(e.GetMagnitude())
	}
	return nil
}

func (r *remembered) restore(requests []*pb.Remembered, sequence uint64) error {
	if len(requests) > len(r) {
		return fmt.Errorf("remembered has %d requests, at most %d", len(requests), len(r))
	}
	last := uint64(0)
	for _, q := range requests {
		if q.GetRequestId() <= last || q.GetSequence() == 0 || q.GetSequence() > sequence {
			return fmt.Errorf("remembered: request %d at sequence %d, after request %d and at most at %d", q.GetRequestId(), q.GetSequence(), last, sequence)
		}
		last = q.GetRequestId()
		r.add(last, q.GetSequence())
	}
	return nil
}
