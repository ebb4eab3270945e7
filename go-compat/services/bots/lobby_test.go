package bots

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAPartyThatCannotFollowItsTicketTakesItBack(t *testing.T) {
	deleted := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/tickets", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"ticket_id":"t-1","state":"searching"}`))
	})
	mux.HandleFunc("GET /v1/tickets/t-1", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("DELETE /v1/tickets/{id}", func(_ http.ResponseWriter, r *http.Request) { deleted <- r.PathValue("id") })
	server := httptest.NewServer(mux)
	defer server.Close()

	_, err := newLobby(strings.TrimPrefix(server.URL, "http://")).findHunt(t.Context(), []uint64{7}, 1200, "eu")
	if err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("%v; want what the matchmaker answered", err)
	}
	select {
	case id := <-deleted:
		if id != "t-1" {
			t.Errorf("ticket %q was taken back", id)
		}
	default:
		t.Error("the ticket stays open: its players cannot ask for a hunt until it expires")
	}
}
