package matchmaker

import (
	"net/http"
	"strconv"

	"treasurehunt.example/go-compat/services/program/jsonapi"
)

// Routes adds the matchmaker's JSON API. Ids of 64 bits are decimal strings
// there; times are RFC 3339.
func (m *Matchmaker) Routes(api *jsonapi.API) {
	api.Handle("POST /v1/tickets", m.postTicket)
	api.Handle("GET /v1/tickets/{id}", m.getTicket)
	api.Handle("DELETE /v1/tickets/{id}", m.deleteTicket)
	api.Handle("GET /v1/hunts", m.getHunts)
	api.Handle("GET /v1/hunts/{id}", m.getHunt)
	api.Handle("POST /v1/hunts/{id}/end", m.postHuntEnd)
}

func (m *Matchmaker) postTicket(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Players []string `json:"players"`
		Skill   *int     `json:"skill"`
		Region  string   `json:"region"`
	}
	if err := jsonapi.Read(w, r, &body); err != nil {
		return err
	}
	if body.Skill == nil {
		return jsonapi.Invalid("skill", "must be given, 0 to %d", SkillMax)
	}
	request := TicketRequest{Skill: *body.Skill, Region: body.Region}
	for _, text := range body.Players {
		player, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return jsonapi.Invalid("players", "must hold ids as decimal strings, not %q", text)
		}
		request.Players = append(request.Players, player)
	}
	ticket, err := m.Open(request)
	if err != nil {
		return outside(err)
	}
	w.Header().Set("Location", "/v1/tickets/"+ticket.ID)
	jsonapi.Write(w, http.StatusCreated, m.ticketBody(ticket))
	return nil
}

func (m *Matchmaker) getTicket(w http.ResponseWriter, r *http.Request) error {
	ticket, err := m.Ticket(r.PathValue("id"))
	if err != nil {
		return outside(err)
	}
	jsonapi.Write(w, http.StatusOK, m.ticketBody(ticket))
	return nil
}

func (m *Matchmaker) deleteTicket(w http.ResponseWriter, r *http.Request) error {
	ticket, err := m.Cancel(r.PathValue("id"))
	if err != nil {
		return outside(err)
	}
	jsonapi.Write(w, http.StatusOK, m.ticketBody(ticket))
	return nil
}

func (m *Matchmaker) getHunts(w http.ResponseWriter, r *http.Request) error {
	page, err := jsonapi.ReadPage(r)
	if err != nil {
		return err
	}
	hunts, more := m.Hunts(page.After, page.Limit)
	body := struct {
		Hunts []huntBody `json:"hunts"`
		Next  string     `json:"next,omitempty"` // the after of the next page
	}{Hunts: []huntBody{}}
	for _, hunt := range hunts {
		body.Hunts = append(body.Hunts, newHuntBody(hunt))
	}
	if more {
		body.Next = hunts[len(hunts)-1].ID
	}
	jsonapi.Write(w, http.StatusOK, body)
	return nil
}

func (m *Matchmaker) getHunt(w http.ResponseWriter, r *http.Request) error {
	hunt, answer, err := m.Hunt(r.Context(), r.PathValue("id"))
	if err != nil {
		return outside(err)
	}
	jsonapi.Write(w, http.StatusOK, huntDetailsBody{
		huntBody:      newHuntBody(hunt),
		Settings:      newSettingsBody(answer.GetSettings()),
		PlayersNow:    answer.GetPlayers(),
		TreasuresLeft: answer.GetTreasuresLeft(),
		Epoch:         decimal(answer.GetEpoch()),
		Sequence:      decimal(answer.GetSequence()),
		Standings:     newStandings(answer.GetTop()),
	})
	return nil
}

func (m *Matchmaker) postHuntEnd(w http.ResponseWriter, r *http.Request) error {
	answer, err := m.EndHunt(r.Context(), r.PathValue("id"))
	if err != nil {
		return outside(err)
	}
	jsonapi.Write(w, http.StatusOK, standingsBody{Standings: newStandings(answer.GetStandings()), Players: answer.GetPlayers()})
	return nil
}
