package matchmaker

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"treasurehunt.example/go-compat/internal/doctable"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/program"
	"treasurehunt.example/go-compat/services/program/jsonapi"
)

// caller calls the API of a matchmaker, in memory.
type caller struct {
	t   *testing.T
	api *jsonapi.API
}

func newCaller(t *testing.T, m *Matchmaker) caller {
	return newCallerOn(t, m, prometheus.NewRegistry())
}

func newCallerOn(t *testing.T, m *Matchmaker, registry *prometheus.Registry) caller {
	api := jsonapi.New(slog.New(slog.NewTextHandler(t.Output(), nil)), registry)
	m.Routes(api)
	return caller{t, api}
}

// do makes one request and takes its answer apart.
func (c caller) do(method, path, body string) (status int, answer map[string]any) {
	c.t.Helper()
	recorder := httptest.NewRecorder()
	c.api.ServeHTTP(recorder, httptest.NewRequest(method, path, strings.NewReader(body)))
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		c.t.Fatalf("%s %s: not JSON: %s", method, path, recorder.Body)
	}
	return recorder.Code, answer
}

func TestATicketGoesThroughTheAPIToItsHuntAndTheHuntToItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, testConfig(t), newFakeEngine())
		c := newCaller(t, m)
		const biggest = "18446744073709551615"
		status, ticket := c.do("POST", "/v1/tickets", `{"players":["7","`+biggest+`"],"skill":1200,"region":"eu"}`)
		if status != http.StatusCreated || ticket["state"] != "searching" {
			t.Fatalf("%d %v", status, ticket)
		}
		c.do("POST", "/v1/tickets", `{"players":["8","9"],"skill":1250,"region":"eu"}`)
		time.Sleep(time.Second)

		path := "/v1/tickets/" + ticket["ticket_id"].(string)
		status, ticket = c.do("GET", path, "")
		if status != http.StatusOK || ticket["state"] != "matched" {
			t.Fatalf("%d %v", status, ticket)
		}
		if status, answer := c.do("DELETE", path, ""); status != http.StatusConflict {
			t.Fatalf("%d %v, want a conflict: it is matched", status, answer)
		}

		hunt := "/v1/hunts/" + ticket["hunt_id"].(string)
		status, answer := c.do("GET", hunt, "")
		if status != http.StatusOK || answer["state"] != "running" || answer["settings"].(map[string]any)["ruleset"] != "classic" {
			t.Fatalf("%d %v", status, answer)
		}
		standings := answer["standings"].([]any)
		if last := standings[len(standings)-1].(map[string]any); len(standings) != 4 || last["player_id"] != biggest {
			t.Fatalf("%v, want four with ids as strings", standings)
		}
		for range 2 { // again gives the same
			if status, answer := c.do("POST", hunt+"/end", ""); status != http.StatusOK || answer["players"] != 4.0 {
				t.Fatalf("%d %v", status, answer)
			}
		}
		if _, answer := c.do("GET", hunt, ""); answer["state"] != "ended" {
			t.Fatalf("%v, want it ended", answer)
		}
	})
}

func TestWhatIsWrongWithATicketIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig(t)
		config.TicketsMax = 1
		m := start(t, config, newFakeEngine())
		c := newCaller(t, m)
		taken := open(t, m, 99)
		for _, test := range []struct {
			body        string
			status      int
			code, field string
		}{
			{`{"players":["1"],"skill":1,"region":"eu"}`, 429, "resource_exhausted", ""},
			{`{"players":[],"skill":1,"region":"eu"}`, 400, "invalid_argument", "players"},
			{`{"skill":1,"region":"eu"}`, 400, "invalid_argument", "players"},
			{`{"players":["1","2","3","4"],"skill":1,"region":"eu"}`, 400, "invalid_argument", "players"},
			{`{"players":["1","1"],"skill":1,"region":"eu"}`, 400, "invalid_argument", "players"},
			{`{"players":["0"],"skill":1,"region":"eu"}`, 400, "invalid_argument", "players"},
			{`{"players":["-1"],"skill":1,"region":"eu"}`, 400, "invalid_argument", "players"},
			{`{"players":["18446744073709551616"],"skill":1,"region":"eu"}`, 400, "invalid_argument", "players"},
			{`{"players":["1\n"],"skill":1,"region":"eu"}`, 400, "invalid_argument", "players"},
			{`{"players":[1],"skill":1,"region":"eu"}`, 400, "invalid_argument", "players"},
			{`{"players":["1"],"region":"eu"}`, 400, "invalid_argument", "skill"},
			{`{"players":["1"],"skill":-1,"region":"eu"}`, 400, "invalid_argument", "skill"},
			{`{"players":["1"],"skill":5001,"region":"eu"}`, 400, "invalid_argument", "skill"},
			{`{"players":["1"],"skill":1.5,"region":"eu"}`, 400, "invalid_argument", "skill"},
			{`{"players":["1"],"skill":1}`, 400, "invalid_argument", "region"},
			{`{"players":["1"],"skill":1,"region":"EU"}`, 400, "invalid_argument", "region"},
			{`{"players":["1"],"skill":1,"region":"` + strings.Repeat("e", 17) + `"}`, 400, "invalid_argument", "region"},
			{`{"players":["1"],"skill":1,"region":"eu","party":1}`, 400, "invalid_argument", "party"},
			{`{"players":["1"]`, 400, "invalid_argument", ""},
			{`{"region":"` + strings.Repeat("e", 70_000) + `"}`, 413, "body_too_large", ""},
		} {
			status, answer := c.do("POST", "/v1/tickets", test.body)
			problem := answer["error"].(map[string]any)
			field, _ := problem["field"].(string)
			if status != test.status || problem["code"] != test.code || !strings.HasPrefix(field, test.field) || (field == "") != (test.field == "") {
				t.Errorf("%.80s: %d %v, want %d %s %s", test.body, status, problem, test.status, test.code, test.field)
			}
		}
		if _, err := m.Cancel(taken.ID); err != nil {
			t.Fatal(err)
		}
		if status, answer := c.do("POST", "/v1/tickets", `{"players":["1"],"skill":1,"region":"eu"}`); status != http.StatusCreated {
			t.Errorf("after all that nothing is taken: %d %v", status, answer)
		}
	})
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	c := newCaller(t, New(testConfig(t), newFakeEngine(), playerstate.NewRequestIDs(), slog.Default(), prometheus.NewRegistry()))
	for _, request := range []string{
		"GET /v1/tickets/x", "DELETE /v1/tickets/x", "GET /v1/hunts/x", "POST /v1/hunts/x/end", "GET /v1/hunts/%0a", "GET /nothing",
	} {
		method, path, _ := strings.Cut(request, " ")
		status, answer := c.do(method, path, "")
		if problem, _ := answer["error"].(map[string]any); status != http.StatusNotFound || problem["code"] != "not_found" {
			t.Errorf("%s: %d %v", request, status, answer)
		}
	}
}

func TestHuntsAreListedPageByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, testConfig(t), newFakeEngine())
		c := newCaller(t, m)
		for player := uint64(1); player < 41; player += 2 {
			open(t, m, player, player+1)
		}
		time.Sleep(time.Second)
		seen := map[string]bool{}
		after, pages := "", 0
		for {
			status, answer := c.do("GET", "/v1/hunts?limit=3&after="+after, "")
			if status != http.StatusOK {
				t.Fatalf("%d %v", status, answer)
			}
			pages++
			for _, hunt := range answer["hunts"].([]any) {
				id := hunt.(map[string]any)["hunt_id"].(string)
				if seen[id] {
					t.Fatalf("%s is listed twice", id)
				}
				seen[id] = true
			}
			next, more := answer["next"].(string)
			if !more {
				break
			}
			after = next
		}
		if len(seen) != 10 || pages != 4 {
			t.Fatalf("%d hunts on %d pages, want 10 on 4", len(seen), pages)
		}
	})
}

func TestAnEnginesFailureIsSaidAsWhatItMeans(t *testing.T) {
	for code, want := range map[codes.Code]int{
		codes.Unavailable: 503, codes.NotFound: 404, codes.FailedPrecondition: 409, codes.ResourceExhausted: 429, codes.DeadlineExceeded: 504,
	} {
		var public *jsonapi.Error
		if err := outside(playerstate.Unknown(code, "why")); !errors.As(err, &public) || public.Status != want || !strings.Contains(public.Message, "why") {
			t.Errorf("%s: %v, want %d", code, err, want)
		}
	}
	for _, err := range []error{playerstate.Unknown(codes.Internal, "secret"), errors.New("secret")} {
		var public *jsonapi.Error
		if errors.As(outside(err), &public) {
			t.Errorf("%v is shown to callers", err)
		}
	}
}

func TestAFullPoolSaysWhichLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig(t)
		config.TicketsMax = 100
		c := newCaller(t, start(t, config, newFakeEngine()))
		var status int
		var answer map[string]any
		for player := 1; player <= 101; player++ {
			skill := strconv.Itoa(player * 49 % 5000)
			status, answer = c.do("POST", "/v1/tickets", `{"players":["`+strconv.Itoa(player)+`"],"skill":`+skill+`,"region":"eu"}`)
		}
		message, _ := answer["error"].(map[string]any)["message"].(string)
		if status != http.StatusTooManyRequests || !strings.Contains(message, "100") || !strings.Contains(message, "tickets-max") || !strings.Contains(message, "matchmaker_tickets") {
			t.Fatalf("%d %q", status, message)
		}
	})
}

func TestEveryMetricIsInTheListOfMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := New(testConfig(t), newFakeEngine(), playerstate.NewRequestIDs(), slog.Default(), registry)
	m.metrics.done(Matched, 1)
	m.metrics.placements.WithLabelValues("placed").Inc()
	newCallerOn(t, m, registry).do("GET", "/v1/hunts", "")
	families, err := registry.Gather()
	if err != nil || len(families) != 6 {
		t.Fatalf("%d metrics, %v; want 6: this test and the list want another row", len(families), err)
	}
	doctable.Metrics(t, "../../../docs/metrics.md", registry)
}

func TestEverySettingIsInTheListOfLimits(t *testing.T) {
	var printed bytes.Buffer
	p := program.Program{Name: "test", Settings: new(Config).Settings()}
	if code := p.Execute(t.Context(), []string{"config", "print"}, &printed, t.Output()); code != program.ExitOK {
		t.Fatalf("exit code %d", code)
	}
	doctable.Settings(t, "../../../docs/limits.md", printed.String())
}
