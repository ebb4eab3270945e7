package stataggregator

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"treasurehunt.example/go-compat/services/program/jsonapi"
	"treasurehunt.example/go-compat/services/stataggregator/store"
)

// Routes adds the aggregator's JSON API. It reads the store alone, and
// calls nobody.
func (a *Aggregator) Routes(api *jsonapi.API) {
	for route, handler := range map[string]jsonapi.Handler{
		"GET /v1/hunts":                a.getHunts,
		"GET /v1/hunts/{id}":           a.getHunt,
		"GET /v1/players/{id}":         a.getPlayer,
		"GET /v1/leaderboards/{board}": a.getLeaderboard,
		"GET /v1/feeds":                a.getFeeds,
		"GET /v1/alarms":               a.getAlarms,
	} {
		api.Handle(route, a.whileThere(handler))
	}
}

// whileThere answers 503 while the database is away, which is for the caller to try
// again.
func (a *Aggregator) whileThere(handler jsonapi.Handler) jsonapi.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := handler(w, r)
		if !store.IsAway(err) {
			return err
		}
		a.log.WarnContext(r.Context(), "request not answered", "path", r.URL.Path, "error", err)
		return &jsonapi.Error{
			Status: http.StatusServiceUnavailable, Code: "unavailable",
			Message: store.ErrAway.Error() + "; try again",
		}
	}
}

func (a *Aggregator) getHunts(w http.ResponseWriter, r *http.Request) error {
	page, err := jsonapi.ReadPage(r)
	if err != nil {
		return err
	}
	hunts, err := a.store.Hunts(r.Context(), page.After, page.Limit+1)
	if err != nil {
		return err
	}
	body := struct {
		Hunts []huntBody `json:"hunts"`
		Next  string     `json:"next,omitempty"` // the after of the next page
	}{Hunts: []huntBody{}}
	hunts, more := cut(hunts, page.Limit)
	for i := range hunts {
		body.Hunts = append(body.Hunts, newHuntBody(&hunts[i]))
	}
	if more {
		body.Next = hunts[len(hunts)-1].ID
	}
	jsonapi.Write(w, http.StatusOK, body)
	return nil
}

// getHunt answers a hunt and a page of its players.
func (a *Aggregator) getHunt(w http.ResponseWriter, r *http.Request) error {
	page, err := jsonapi.ReadPage(r)
	if err != nil {
		return err
	}
	after := uint64(0)
	if page.After != "" {
		if after, err = playerID("after", page.After); err != nil {
			return err
		}
	}
	id := r.PathValue("id")
	hunt, err := a.store.Hunt(r.Context(), id)
	if err != nil {
		return outside(err, "no record of hunt %q was read", id)
	}
	seats, err := a.store.Seats(r.Context(), id, after, page.Limit+1)
	if err != nil {
		return err
	}
	seats, more := cut(seats, page.Limit)
	body := newHuntDetailsBody(hunt, seats)
	if more {
		body.Next = strconv.FormatUint(seats[len(seats)-1].Player, 10)
	}
	jsonapi.Write(w, http.StatusOK, body)
	return nil
}

func (a *Aggregator) getPlayer(w http.ResponseWriter, r *http.Request) error {
	id, err := playerID("id", r.PathValue("id"))
	if err != nil {
		return err
	}
	player, err := a.store.Player(r.Context(), id)
	if err != nil {
		return outside(err, "no record of player %d was read", id)
	}
	jsonapi.Write(w, http.StatusOK, newPlayerBody(player))
	return nil
}

func (a *Aggregator) getLeaderboard(w http.ResponseWriter, r *http.Request) error {
	page, err := onePage(r)
	if err != nil {
		return err
	}
	board := store.Board(r.PathValue("board"))
	leaders, err := a.store.Leaders(r.Context(), board, page.Limit)
	if err != nil {
		return outside(err, "there is no leaderboard %q; there are %v", board, store.Boards)
	}
	jsonapi.Write(w, http.StatusOK, struct {
		Board   store.Board    `json:"board"`
		Leaders []store.Leader `json:"leaders"` // the best first
	}{board, append([]store.Leader{}, leaders...)})
	return nil
}

func (a *Aggregator) getFeeds(w http.ResponseWriter, r *http.Request) error {
	body := struct {
		Feeds []feedBody `json:"feeds"`
	}{[]feedBody{}}
	for _, p := range a.pullers {
		kept, err := a.store.Feed(r.Context(), p.feed)
		if err != nil && !errors.Is(err, store.ErrNotFound) { // nothing was read of it yet
			return err
		}
		body.Feeds = append(body.Feeds, newFeedBody(p.feed, kept, p.state()))
	}
	jsonapi.Write(w, http.StatusOK, body)
	return nil
}

func (a *Aggregator) getAlarms(w http.ResponseWriter, r *http.Request) error {
	page, err := onePage(r)
	if err != nil {
		return err
	}
	alarms, err := a.store.Alarms(r.Context(), page.Limit)
	if err != nil {
		return err
	}
	body := struct {
		Alarms []alarmBody `json:"alarms"` // the newest first
	}{[]alarmBody{}}
	for _, alarm := range alarms {
		body.Alarms = append(body.Alarms, newAlarmBody(alarm))
	}
	jsonapi.Write(w, http.StatusOK, body)
	return nil
}

// onePage is the page of a list that has no second one.
func onePage(r *http.Request) (jsonapi.Page, error) {
	page, err := jsonapi.ReadPage(r)
	if err == nil && page.After != "" {
		err = jsonapi.Invalid("after", "this list has one page; it takes limit alone")
	}
	return page, err
}

func playerID(field, text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, jsonapi.Invalid(field, "must be a player's id, a decimal number below 2^64, not %q", text)
	}
	return id, nil
}

// outside is an error as callers of the API see it. What is no answer to their
// question stays inside.
func outside(err error, notFound string, args ...any) error {
	if errors.Is(err, store.ErrNotFound) {
		return &jsonapi.Error{Status: http.StatusNotFound, Code: "not_found", Message: fmt.Sprintf(notFound, args...)}
	}
	return err
}

// cut takes the row off that was asked for beyond the limit, to see if there is more.
func cut[T any](rows []T, limit int) ([]T, bool) {
	if len(rows) <= limit {
		return rows, false
	}
	return rows[:limit], true
}
