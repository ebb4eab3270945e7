package matchmaker

import (
	"strconv"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// What the JSON API writes.

type ticketBody struct {
	TicketID  string      `json:"ticket_id"`
	State     TicketState `json:"state"`
	HuntID    string      `json:"hunt_id,omitempty"`
	Players   []string    `json:"players"`
	Skill     int         `json:"skill"`
	Region    string      `json:"region"`
	Since     time.Time   `json:"since"`
	WaitedMs  int64       `json:"waited_ms"`
	SkillFrom int         `json:"skill_from"` // whom it looks for, or did at last
	SkillTo   int         `json:"skill_to"`
}

type huntBody struct {
	HuntID   string    `json:"hunt_id"`
	State    HuntState `json:"state"`
	Region   string    `json:"region"`
	Skill    int       `json:"skill"`
	Players  int       `json:"players"` // that it began with
	StartsAt time.Time `json:"starts_at"`
	EndsAt   time.Time `json:"ends_at"`
}

type settingsBody struct {
	Seed       string `json:"seed"`
	Width      uint32 `json:"width"`
	Height     uint32 `json:"height"`
	Treasures  uint32 `json:"treasures"`
	Caches     uint32 `json:"caches"`
	MaxPlayers uint32 `json:"max_players"`
	DurationMs uint64 `json:"duration_ms"`
	Ruleset    string `json:"ruleset"`
}

type standingBody struct {
	PlayerID string `json:"player_id"`
	Score    string `json:"score"`
}

type standingsBody struct {
	Standings []standingBody `json:"standings"`
	Players   uint32         `json:"players"` // how many ever joined
}

type huntDetailsBody struct {
	huntBody
	Settings      settingsBody   `json:"settings"`
	PlayersNow    uint32         `json:"players_now"`
	TreasuresLeft uint32         `json:"treasures_left"`
	Epoch         string         `json:"epoch"`
	Sequence      string         `json:"sequence"`
	Standings     []standingBody `json:"standings"` // the best 100
}

func (m *Matchmaker) ticketBody(t Ticket) ticketBody {
	until := t.Done
	if t.open() {
		until = time.Now()
	}
	waited := until.Sub(t.Since)
	window := m.config.Rules.Window(waited)
	body := ticketBody{
		TicketID: t.ID, State: t.State, HuntID: t.HuntID, Skill: t.Skill, Region: t.Region,
		Since: t.Since, WaitedMs: waited.Milliseconds(),
		SkillFrom: max(0, t.Skill-window), SkillTo: min(SkillMax, t.Skill+window),
	}
	if t.State == Placing {
		body.State = Searching
	}
	for _, player := range t.Players {
		body.Players = append(body.Players, decimal(player))
	}
	return body
}

func newHuntBody(h Hunt) huntBody {
	return huntBody{
		HuntID: h.ID, State: h.State, Region: h.Region, Skill: h.Skill, Players: h.Players,
		StartsAt: h.StartsAt, EndsAt: h.EndsAt,
	}
}

func newSettingsBody(s *pb.HuntSettings) settingsBody {
	return settingsBody{
		Seed: decimal(s.GetSeed()), Width: s.GetWidth(), Height: s.GetHeight(),
		Treasures: s.GetTreasures(), Caches: s.GetCaches(), MaxPlayers: s.GetMaxPlayers(),
		DurationMs: s.GetDurationMs(), Ruleset: s.GetRuleset(),
	}
}

func newStandings(standings []*pb.Standing) []standingBody {
	bodies := make([]standingBody, len(standings))
	for i, standing := range standings {
		bodies[i] = standingBody{PlayerID: decimal(standing.GetPlayerId()), Score: decimal(standing.GetScore())}
	}
	return bodies
}

func decimal(number uint64) string { return strconv.FormatUint(number, 10) }
