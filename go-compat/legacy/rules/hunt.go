package rules

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// Hunt is one hunt. Only [Hunt.Apply], [Hunt.End] and [Hunt.ChangeOwner] change it;
// each change takes the next sequence. It is not safe for concurrent use.
type Hunt struct {
	id       string
	settings *pb.HuntSettings // without unknown fields, never changed
	ruleset  *Ruleset
	board    board

	epoch    uint64
	sequence uint64
	startsAt int64
	lastAt   int64 // the stamp of the last record
	endedAt  int64 // once ended
	ended    bool

	random    splitMix
	treasures placed
	caches    placed
	roster    roster
	digest    digest
}

// ErrStampFell refuses a stamp under the last one: a hunt's time never falls.
var ErrStampFell = errors.New("rules: at_ms is under the hunt's last_at_ms")

// Create makes a hunt as it is after its record 1 ("Creating"). The settings must
// have passed playerstate.CheckSettings, and name the given ruleset.
func Create(id string, settings *pb.HuntSettings, ruleset *Ruleset, epoch uint64, startsAtMs int64) *Hunt {
	h := &Hunt{
		id:       id,
		settings: plainSettings(settings),
		ruleset:  ruleset,
		board:    board{width: settings.GetWidth(), height: settings.GetHeight()},
		epoch:    epoch,
		sequence: 1,
		startsAt: startsAtMs,
		lastAt:   startsAtMs,
		random:   splitMix{state: settings.GetSeed()},
		roster:   newRoster(),
	}
	h.treasures = lay(h.board, settings.GetTreasures(), &h.random, func() uint32 {
		return worthStep * (1 + uint32(h.random.below(worthMax/worthStep)))
	})
	h.caches = lay(h.board, settings.GetCaches(), &h.random, func() uint32 {
		return ruleset.drawPowerUp(&h.random)
	})
	h.digest.placeAll(h.board, seedTreasure, &h.treasures)
	h.digest.placeAll(h.board, seedCache, &h.caches)
	return h
}

// plainSettings are settings as they are kept and hashed: as given, but for
// unknown fields.
func plainSettings(s *pb.HuntSettings) *pb.HuntSettings {
	return &pb.HuntSettings{
		Seed:       s.GetSeed(),
		Width:      s.GetWidth(),
		Height:     s.GetHeight(),
		Treasures:  s.GetTreasures(),
		Caches:     s.GetCaches(),
		MaxPlayers: s.GetMaxPlayers(),
		DurationMs: s.GetDurationMs(),
		Ruleset:    s.GetRuleset(),
	}
}

// ID is the hunt's id.
func (h *Hunt) ID() string { return h.id }

// Settings are the hunt's own copy: they must not be changed.
func (h *Hunt) Settings() *pb.HuntSettings { return h.settings }

// HasSettings tells whether the hunt was created with these, unknown fields
// aside. Settings never change, so any goroutine may ask.
func (h *Hunt) HasSettings(s *pb.HuntSettings) bool { return proto.Equal(h.settings, plainSettings(s)) }

// Epoch is its owner's epoch.
func (h *Hunt) Epoch() uint64 { return h.epoch }

// Sequence is that of the last record.
func (h *Hunt) Sequence() uint64 { return h.sequence }

// LastAtMs is the stamp of the last record.
func (h *Hunt) LastAtMs() int64 { return h.lastAt }

// EndsAtMs is when it ends by time or, once ended, when it did.
func (h *Hunt) EndsAtMs() int64 {
	if h.ended {
		return h.endedAt
	}
	return h.timeIsUpAt()
}

func (h *Hunt) timeIsUpAt() int64 { return h.startsAt + int64(h.settings.GetDurationMs()) }

// Ended tells whether the end's record is written.
func (h *Hunt) Ended() bool { return h.ended }

// Due tells whether the hunt's time is up and its end is still to be recorded.
func (h *Hunt) Due(atMs int64) bool { return !h.ended && atMs >= h.timeIsUpAt() }

// Knows tells whether a player ever joined.
func (h *Hunt) Knows(playerID uint64) bool {
	_, known := h.roster.index[playerID]
	return known
}

// Joined is how many players ever joined.
func (h *Hunt) Joined() int { return len(h.roster.ids) }

// End ends the hunt at once, or as of its time if that is up. It takes a
// sequence the first time, and changes nothing after that; whether it did, is
// the answer.
func (h *Hunt) End(atMs int64) (bool, error) {
	if h.ended {
		return false, nil
	}
	atMs = min(atMs, h.timeIsUpAt())
	if err := h.checkStamp(atMs); err != nil {
		return false, err
	}
	h.ended, h.endedAt, h.lastAt = true, atMs, atMs
	h.sequence++
	return true, nil
}

// ChangeOwner passes the hunt to an owner at a higher epoch, also one that has ended.
// It takes a sequence: the first of the epoch. A hunt's time stops at its end, so that
// one whose time is up can still be ended as of that time.
func (h *Hunt) ChangeOwner(epoch uint64, atMs int64) error {
	if epoch <= h.epoch {
		return fmt.Errorf("rules: epoch %d is not above the hunt's %d", epoch, h.epoch)
	}
	if err := h.checkStamp(atMs); err != nil {
		return err
	}
	stopped := h.timeIsUpAt()
	if h.ended {
		stopped = h.lastAt
	}
	h.epoch, h.lastAt = epoch, max(min(atMs, stopped), h.lastAt)
	h.sequence++
	return nil
}

func (h *Hunt) checkStamp(atMs int64) error {
	if atMs < h.lastAt {
		return fmt.Errorf("%w: %d is before %d", ErrStampFell, atMs, h.lastAt)
	}
	return nil
}

// Standings are the n best: score descending, then player id ascending. They
// count who left too.
func (h *Hunt) Standings(n int) []*pb.Standing { return h.roster.best(n) }

// Player answers what GetPlayer asks, at a time; nil for one the hunt does not know.
func (h *Hunt) Player(playerID uint64, atMs int64) *pb.GetPlayerResponse {
	place, known := h.roster.index[playerID]
	if !known {
		return nil
	}
	p, now := &h.roster.players[place], atMs-h.startsAt
	view := &pb.GetPlayerResponse{Player: p.summary(), Present: p.present(), CooldownMs: remaining(p.cooldownUntil, now)}
	for i := range h.ruleset.powerUps {
		if count := p.held(i); count > 0 {
			view.Inventory = append(view.Inventory, &pb.Held{PowerUp: h.ruleset.powerUps[i].name, Count: count})
		}
	}
	for i := range timedKinds {
		if left := remaining(p.until[i], now); left > 0 {
			view.Effects = append(view.Effects, &pb.ActiveEffect{
				Kind:        pb.EffectKind_EFFECT_KIND_SHIELD + pb.EffectKind(i),
				Magnitude:   uint32(p.magnitude[i]),
				RemainingMs: left,
			})
		}
	}
	return view
}

func remaining(until uint32, now int64) uint32 { return uint32(max(int64(until)-now, 0)) }

// Overview answers what GetHunt asks, with the top best standings.
func (h *Hunt) Overview(top int) *pb.GetHuntResponse {
	return &pb.GetHuntResponse{
		Settings:      plainSettings(h.settings),
		StartsAtMs:    h.startsAt,
		EndsAtMs:      h.EndsAtMs(),
		Players:       uint32(h.roster.present),
		TreasuresLeft: uint32(h.treasures.left),
		Epoch:         h.epoch,
		Sequence:      h.sequence,
		Digest:        h.Digest(),
		Top:           h.Standings(top),
		Ended:         h.ended,
	}
}
