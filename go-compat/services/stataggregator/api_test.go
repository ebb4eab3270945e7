package stataggregator

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/internal/doctable"
	"treasurehunt.example/go-compat/services/audit"
	"treasurehunt.example/go-compat/services/program"
	"treasurehunt.example/go-compat/services/program/jsonapi"
	"treasurehunt.example/go-compat/services/stataggregator/internal/testfeed"
	"treasurehunt.example/go-compat/services/stataggregator/store"
	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

// serveAPI serves an aggregator's API, after it has counted the records.
func serveAPI(t *testing.T, records []*pb.Record) (*bench, *httptest.Server) {
	t.Helper()
	feed := &testfeed.Feed{PageMax: 500}
	feed.Append(records...)
	wires := newWires(t)
	wires.serve("go", feed)
	b := start(t, wires, openStore(t, filepath.Join(t.TempDir(), "stats.db")), "go")
	b.counted(t, len(records))
	api := jsonapi.New(slog.New(slog.NewTextHandler(t.Output(), nil)), prometheus.NewRegistry())
	b.Routes(api)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return b, server
}

func ask(t *testing.T, server *httptest.Server, path string, answer any) int {
	t.Helper()
	response, err := http.Get(server.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return response.StatusCode
}

// reportOf is what players would say who were answered every record.
func reportOf(hunts []testfeed.Hunt) *audit.Report {
	report := &audit.Report{}
	for _, hunt := range hunts {
		players := map[uint64]*audit.Player{}
		for _, player := range hunt.Final.GetPlayers() {
			players[player.GetPlayerId()] = &audit.Player{
				ID: player.GetPlayerId(), Version: player.GetVersion(), Score: player.GetScore(), Final: true,
			}
		}
		for _, record := range hunt.Records {
			if cmd := record.GetApplied().GetCommand(); cmd != nil && cmd.GetJoin() == nil {
				player := players[cmd.GetPlayerId()]
				player.Answered++
				player.Marks += audit.Mark(cmd.GetRequestId(), record.GetSequence())
			}
		}
		told := audit.Hunt{ID: hunt.ID}
		for _, player := range players {
			told.Players = append(told.Players, *player)
		}
		report.Hunts = append(report.Hunts, told)
	}
	return report
}

// The audit's client and this API speak of the same things.
func TestAnAuditOfWhatWasCountedIsClean(t *testing.T) {
	_, hunts, records := play(t, 5, 1500)
	_, server := serveAPI(t, records)
	view := audit.Client{Base: server.URL}
	report := reportOf(hunts)
	if err := view.Settled(t.Context(), report); err != nil {
		t.Fatal(err)
	}
	result, err := audit.Check(t.Context(), view, report)
	if err != nil || !result.Clean() || result.Answered == 0 || result.Unfinished != 0 {
		t.Fatalf("%v %v", result, err)
	}
	report.Hunts[2].Players[0].Marks++
	report.Hunts = append(report.Hunts, audit.Hunt{ID: "never-was", Players: []audit.Player{{ID: 1, Answered: 3}}})
	result, err = audit.Check(t.Context(), view, report)
	if err != nil || result.Altered != 1 || result.Uncounted != 1 || result.Lost != 3 {
		t.Fatalf("%v %v, want one player altered and one hunt uncounted", result, err)
	}
}

func TestAHuntIsShownWithItsPlayersPageByPage(t *testing.T) {
	hunt := testfeed.Play(t, 31, 800)
	_, server := serveAPI(t, hunt.Records)
	var seen []uint64
	for after, pages := "", 0; ; pages++ {
		var body huntDetailsBody
		if status := ask(t, server, "/v1/hunts/"+hunt.ID+"?limit=3&after="+after, &body); status != http.StatusOK {
			t.Fatalf("%d", status)
		}
		if body.Records != uint64(len(hunt.Records)) || body.LastSequence != body.Records || body.Missing+body.GivenUp+body.Gaps+body.Duplicates+body.Forks != 0 ||
			!body.Ended || !body.AddsUp || body.WorthDug != uint64(body.ScoreTotal) || body.StartsAt == nil || body.EndedAt == nil || len(body.Standings) == 0 {
			t.Fatalf("%+v", body)
		}
		for _, player := range body.Players {
			seen = append(seen, player.PlayerID)
		}
		if after = body.Next; after == "" {
			break
		}
	}
	var want []uint64
	for _, player := range hunt.Final.GetPlayers() {
		want = append(want, player.GetPlayerId())
	}
	if !slices.Equal(seen, want) {
		t.Errorf("players %v, want %v", seen, want)
	}
}

func TestHuntsAreListedPageByPage(t *testing.T) {
	var records []*pb.Record
	for n := range 10 {
		records = append(records, &pb.Record{HuntId: fmt.Sprintf("hunt-%d", n), Epoch: 1, Sequence: 1, Change: &pb.Record_Created{}})
	}
	_, server := serveAPI(t, records)
	var seen []string
	for after, pages := "", 1; ; pages++ {
		var body struct {
			Hunts []huntBody
			Next  string
		}
		ask(t, server, "/v1/hunts?limit=4&after="+after, &body)
		for _, hunt := range body.Hunts {
			seen = append(seen, hunt.HuntID)
		}
		if after = body.Next; after == "" {
			if pages != 3 {
				t.Errorf("%d pages, want 3", pages)
			}
			break
		}
	}
	if len(seen) != 10 || !slices.IsSorted(seen) {
		t.Errorf("%v", seen)
	}
}

func TestAPlayerIsAllHuntsTogether(t *testing.T) {
	_, hunts, records := play(t, 4, 1500)
	_, server := serveAPI(t, records)
	id := hunts[0].Final.GetPlayers()[0].GetPlayerId()
	wantHunts, wantScore := uint64(0), uint64(0)
	for _, hunt := range hunts {
		for _, player := range hunt.Final.GetPlayers() {
			if player.GetPlayerId() == id {
				wantHunts++
				wantScore += player.GetScore()
			}
		}
	}
	var body playerBody
	ask(t, server, fmt.Sprintf("/v1/players/%d", id), &body)
	if body.PlayerID != id || body.Hunts != wantHunts || body.Score != int64(wantScore) || body.Applied == 0 {
		t.Errorf("%+v, want %d hunts and a score of %d", body, wantHunts, wantScore)
	}
	picked, used := uint64(0), uint64(0)
	for _, powerUp := range body.PowerUps {
		picked, used = picked+powerUp.Picked, used+powerUp.Used
	}
	if picked != body.PickedUp || used != body.Used {
		t.Errorf("%d picked up and %d used by name, %d and %d in all", picked, used, body.PickedUp, body.Used)
	}
}

func TestLeaderboardsShowTheBestFirst(t *testing.T) {
	_, hunts, records := play(t, 4, 1500)
	b, server := serveAPI(t, records)
	totals, best := map[uint64]int64{}, uint64(0)
	for _, hunt := range hunts {
		for _, player := range hunt.Final.GetPlayers() {
			totals[player.GetPlayerId()] += int64(player.GetScore())
			best = max(best, player.GetScore())
		}
	}
	highest := int64(0)
	for _, total := range totals {
		highest = max(highest, total)
	}
	for board, want := range map[string]int64{"score": highest, "best-hunt": int64(best), "treasures": 0, "hits-given": 0} {
		var body struct {
			Leaders []struct {
				PlayerID string `json:"player_id"`
				HuntID   string `json:"hunt_id"`
				Value    int64  `json:"value"`
			}
		}
		if status := ask(t, server, "/v1/leaderboards/"+board+"?limit=5", &body); status != http.StatusOK || len(body.Leaders) != 5 {
			t.Fatalf("%s: %d, %d leaders", board, status, len(body.Leaders))
		}
		if want > 0 && body.Leaders[0].Value != want {
			t.Errorf("%s: %+v, want %d first", board, body.Leaders, want)
		}
		if (body.Leaders[0].HuntID != "") != (board == "best-hunt") {
			t.Errorf("%s: %+v", board, body.Leaders)
		}
		for i := range body.Leaders[1:] {
			if body.Leaders[i].Value < body.Leaders[i+1].Value || body.Leaders[i+1].Value <= 0 {
				t.Errorf("%s is not in order: %+v", board, body.Leaders)
			}
		}
	}
	if b.metric(t, "stataggregator_feed_lag_seconds", "go") != 0 {
		t.Error("a feed that was read to its end lags")
	}
}

func TestFeedsAndAlarmsAreShown(t *testing.T) {
	hunt := testfeed.Play(t, 41, 300)
	b, server := serveAPI(t, append(slices.Clone(hunt.Records[:10]), hunt.Records[12:]...))
	var feeds struct{ Feeds []feedBody }
	await(t, func() error {
		feeds.Feeds = nil
		if ask(t, server, "/v1/feeds", &feeds); len(feeds.Feeds) != 1 || !feeds.Feeds[0].Up {
			return fmt.Errorf("%+v", feeds)
		}
		return nil
	})
	if feed := feeds.Feeds[0]; feed.Name != "go" || feed.Records != uint64(len(hunt.Records)-2) || feed.Cursor == "" || feed.LastError != "" || feed.NewestAt == nil {
		t.Errorf("%+v", feed)
	}
	var alarms struct{ Alarms []alarmBody }
	ask(t, server, "/v1/alarms?limit=10", &alarms)
	if len(alarms.Alarms) != 1 || alarms.Alarms[0].HuntID != hunt.ID || alarms.Alarms[0].Sequence != 13 || alarms.Alarms[0].Text != "records 11 to 12 did not arrive" {
		t.Errorf("%+v", alarms)
	}
	var body huntDetailsBody
	ask(t, server, "/v1/hunts/"+hunt.ID, &body)
	if body.Missing != 2 || body.Gaps != 1 || len(body.MissingRanges) != 1 || body.MissingRanges[0].First != 11 {
		t.Errorf("%+v", body)
	}
	b.stop()
}

func TestWhatIsWrongWithARequestIsNamed(t *testing.T) {
	_, server := serveAPI(t, nil)
	for path, want := range map[string]string{
		"/v1/hunts/nobody":                  "404 not_found",
		"/v1/hunts/a%0ab":                   "404 not_found",
		"/v1/hunts?limit=0":                 "400 invalid_argument limit",
		"/v1/hunts/nobody?after=x":          "400 invalid_argument after",
		"/v1/players/7":                     "404 not_found",
		"/v1/players/x":                     "400 invalid_argument id",
		"/v1/players/18446744073709551616":  "400 invalid_argument id",
		"/v1/leaderboards/money":            "404 not_found",
		"/v1/leaderboards/score?limit=1001": "400 invalid_argument limit",
		"/v1/leaderboards/score?after=7":    "400 invalid_argument after",
		"/v1/alarms?after=7":                "400 invalid_argument after",
	} {
		var body struct{ Error jsonapi.Error }
		status := ask(t, server, path, &body)
		if got := strings.TrimSpace(fmt.Sprint(status, " ", body.Error.Code, " ", body.Error.Field)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

// away is a store whose database fails in one way.
type away struct {
	store.Store
	err error
}

func (a away) Hunts(context.Context, string, int) ([]tally.Hunt, error) { return nil, a.err }

func TestADatabaseThatIsAwayIsUnavailable(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		code   string
	}{
		{fmt.Errorf("read: %w", &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}), http.StatusServiceUnavailable, "unavailable"},
		{&pgconn.PgError{Code: "57P01", Message: "terminating connection due to administrator command"}, http.StatusServiceUnavailable, "unavailable"},
		{fmt.Errorf("timeout: %w", context.DeadlineExceeded), http.StatusServiceUnavailable, "unavailable"},
		{&pgconn.PgError{Code: "42P01", Message: "there is no such table"}, http.StatusInternalServerError, "internal"},
	} {
		log := slog.New(slog.NewTextHandler(t.Output(), nil))
		a := &Aggregator{store: away{err: test.err}, log: log}
		api := jsonapi.New(log, prometheus.NewRegistry())
		a.Routes(api)
		answer := httptest.NewRecorder()
		api.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/hunts", nil))
		if answer.Code != test.status || !strings.Contains(answer.Body.String(), test.code) {
			t.Errorf("%v: %d %s, want %d %s", test.err, answer.Code, answer.Body, test.status, test.code)
		}
	}
}

func TestFeedsThatCannotBeToldApartAreRefused(t *testing.T) {
	for _, feeds := range [][]string{nil, {"a=h:1", "a=h:2"}, make([]string, feedsMax+1)} {
		if err := (&Config{Feeds: feeds}).Check(); err == nil || !strings.Contains(err.Error(), "--feed") {
			t.Errorf("%q: %v", feeds, err)
		}
	}
	for feed, good := range map[string]bool{
		"go=tcp:h:1": true, "go=h:1": true, "s-1=unix:/x": true,
		"": false, "go": false, "go=": false, "=h:1": false, "GO=h:1": false, "go=h": false, strings.Repeat("g", 33) + "=h:1": false,
	} {
		if isFeed(feed) != good {
			t.Errorf("%q", feed)
		}
	}
}

func TestEveryMetricIsInTheListOfMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newMetrics(registry, 0)
	m.addFeed("go")
	m.feedDown("go", 0)
	families, err := registry.Gather()
	if err != nil || len(families) != 11 {
		t.Fatalf("%d metrics, %v; want 11: this test and the list want another row", len(families), err)
	}
	doctable.Metrics(t, "../../../docs/metrics.md", registry)
}

func TestEverySettingIsInTheListOfLimits(t *testing.T) {
	var printed strings.Builder
	p := program.Program{Name: "test", Settings: new(Config).Settings()}
	if code := p.Execute(t.Context(), []string{"config", "print"}, &printed, t.Output()); code != program.ExitOK {
		t.Fatalf("exit code %d", code)
	}
	doctable.Settings(t, "../../../docs/limits.md", printed.String())
}
