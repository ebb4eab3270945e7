package bots

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// lobby is a client of the matchmaker's JSON API. Safe for concurrent use.
type lobby struct {
	base string // http://host:port
	http *http.Client
}

func newLobby(addr string) *lobby {
	return &lobby{
		base: "http://" + addr,
		http: &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64}},
	}
}

// ticket is the part of the matchmaker's ticket that a party looks at.
type ticket struct {
	ID     string `json:"ticket_id"`
	State  string `json:"state"`
	HuntID string `json:"hunt_id"`
}

// errTicketOver says that a ticket ended without a hunt: try another.
var errTicketOver = errors.New("the ticket ended without a hunt")

// findHunt waits for a hunt for the party, at most until ctx is over. On an error
// the ticket is taken back, for its players are in no other while it is open.
func (l *lobby) findHunt(ctx context.Context, party []uint64, skill int, region string) (string, error) {
	players := make([]string, len(party))
	for i, id := range party {
		players[i] = strconv.FormatUint(id, 10)
	}
	var t ticket
	request := map[string]any{"players": players, "skill": skill, "region": region}
	if err := l.call(ctx, http.MethodPost, "/v1/tickets", request, &t); err != nil {
		return "", err
	}
	for {
		switch t.State {
		case "matched":
			return t.HuntID, nil
		case "cancelled", "expired":
			return "", errTicketOver
		}
		select {
		case <-ctx.Done():
			return "", l.withdraw(t.ID, ctx.Err())
		case <-time.After(250 * time.Millisecond):
		}
		if err := l.call(ctx, http.MethodGet, "/v1/tickets/"+t.ID, nil, &t); err != nil {
			return "", l.withdraw(t.ID, err)
		}
	}
}

func (l *lobby) withdraw(id string, cause error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(cause, l.call(ctx, http.MethodDelete, "/v1/tickets/"+id, nil, nil))
}

func (l *lobby) call(ctx context.Context, method, path string, body, answer any) error {
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, l.base+path, payload)
	if err != nil {
		return err
	}
	response, err := l.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(text))
	}
	if answer == nil || len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, answer)
}
