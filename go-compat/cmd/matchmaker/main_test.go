package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy"
	"treasurehunt.example/go-compat/playerstate/serve"
	"treasurehunt.example/go-compat/services/program"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is the program in this process, on sockets of its own.
type running struct {
	t    *testing.T
	dir  string
	http *http.Client
	code chan int
	stop context.CancelFunc
}

func run(t *testing.T, args ...string) *running {
	t.Helper()
	dir := t.TempDir()
	socket := func(name string) string { return "unix:" + filepath.Join(dir, name) }
	args = append(args, "--listen", socket("grpc"), "--legacy-feed-listen", socket("feed"),
		"--http", socket("http"), "--admin", socket("admin"), "--hunt-wait-max", "0s", "--match-every", "10ms")
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, dir: dir, code: make(chan int, 1), stop: stop, http: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			host, _, _ := strings.Cut(addr, ":")
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, host))
		},
	}}}
	go func() { r.code <- new(settings).program().Execute(ctx, args, io.Discard, t.Output()) }()
	t.Cleanup(stop)
	r.await("ready", func() bool {
		response, err := r.http.Get("http://admin/readyz")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return r
}

func (r *running) await(what string, done func() bool) {
	r.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatalf("not %s within 10 s", what)
		}
	}
}

// call makes one call of the JSON API.
func (r *running) call(method, path, body string) (answer map[string]any) {
	r.t.Helper()
	request, err := http.NewRequest(method, "http://http"+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := r.http.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		r.t.Fatal(err)
	}
	if response.StatusCode >= 300 {
		r.t.Fatalf("%s %s: %d %v", method, path, response.StatusCode, answer)
	}
	return answer
}

// dial connects to one of the program's sockets.
func (r *running) dial(name string) *grpc.ClientConn {
	r.t.Helper()
	connection, err := grpc.NewClient("unix:"+filepath.Join(r.dir, name), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { connection.Close() })
	return connection
}

// play brings two players together and gives their hunt.
func (r *running) play() (huntID string) {
	r.t.Helper()
	var ticket map[string]any
	for _, player := range []string{"7", "8"} {
		ticket = r.call("POST", "/v1/tickets", `{"players":["`+player+`"],"skill":1200,"region":"eu"}`)
	}
	path := "/v1/tickets/" + ticket["ticket_id"].(string)
	r.await("matched", func() bool { ticket = r.call("GET", path, ""); return ticket["state"] == "matched" })
	return ticket["hunt_id"].(string)
}

func (r *running) end() {
	r.t.Helper()
	r.stop()
	if code := <-r.code; code != program.ExitOK {
		r.t.Errorf("exit code %d", code)
	}
}

// ticketToEnd plays a hunt by the JSON API, moves in it over gRPC, and ends it.
func (r *running) ticketToEnd() (huntID string) {
	r.t.Helper()
	huntID = r.play()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
	defer cancel()
	answer, err := pb.NewPlayerStateServiceClient(r.dial("grpc")).Apply(ctx, &pb.ApplyRequest{Command: &pb.Command{
		HuntId: huntID, PlayerId: 7, RequestId: 1 << 63, Action: &pb.Command_Leave{Leave: &pb.Leave{}},
	}})
	if err != nil || answer.GetOutcome().GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		r.t.Fatalf("%v, %v", answer, err)
	}
	if hunt := r.call("GET", "/v1/hunts/"+huntID, ""); hunt["players_now"] != 1.0 || hunt["sequence"] != "4" {
		r.t.Errorf("%v, want one player left at sequence 4", hunt)
	}
	r.call("POST", "/v1/hunts/"+huntID+"/end", "")
	return huntID
}

// feedOf reads the ids of the hunts of which a feed tells.
func (r *running) feedOf(socket string) map[string]bool {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 2*time.Second)
	defer cancel()
	answer, err := pb.NewEventFeedServiceClient(r.dial(socket)).ReadRecords(ctx, &pb.ReadRecordsRequest{MaxRecords: 100})
	if err != nil {
		r.t.Fatal(err)
	}
	hunts := map[string]bool{}
	for _, record := range answer.GetRecords() {
		hunts[record.GetHuntId()] = true
	}
	return hunts
}

func TestWithTheOldEngineAlone(t *testing.T) {
	r := run(t)
	hunt := r.ticketToEnd()
	for _, socket := range []string{"grpc", "feed"} {
		if feed := r.feedOf(socket); !feed[hunt] {
			t.Errorf("the feed on %s has %v, want %s", socket, feed, hunt)
		}
	}
	r.end()
}

func TestTheOldEnginesFeedListenerTakesNoCommands(t *testing.T) {
	r := run(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := pb.NewPlayerStateServiceClient(r.dial("feed")).GetHunt(ctx, &pb.GetHuntRequest{HuntId: "h"})
	if err == nil || !strings.Contains(err.Error(), "Unimplemented") {
		t.Errorf("%v, want Unimplemented", err)
	}
	r.end()
}

func TestSettingsThatDoNotGoTogetherAreRefused(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"--sidecar", "unix:/s"},
		{"--ledger", "l.db"},
		{"--sidecar", "unix:/s", "--ledger", "l.db"},
		{"--sidecar-data-dir", dir},
		{"--sidecar", "unix:/s", "--flag-file", "f", "--sidecar-data-dir", dir, "--ledger", filepath.Join(dir, "l.db")},
		{"--hunt-players-max", "5"},
		{"--hunt-width", "2", "--hunt-height", "2", "--hunt-caches", "0", "--hunt-treasures", "3"},
		{"--http", ""},
	} {
		if code := new(settings).program().Execute(t.Context(), args, io.Discard, t.Output()); code != program.ExitUsage {
			t.Errorf("%v: exit code %d, want %d", args, code, program.ExitUsage)
		}
	}
}

// TestWithTheRouter plays the same hunt by the same program. The sidecar is the
// Go engine here, for the schema is the same.
func TestWithTheRouter(t *testing.T) {
	for percent, onSidecar := range map[int]bool{0: false, 100: true} {
		t.Run(fmt.Sprintf("percent=%d", percent), func(t *testing.T) {
			dir := t.TempDir()
			sidecar := serveEngine(t, filepath.Join(dir, "sidecar"))
			flag := filepath.Join(dir, "flag.json")
			text := fmt.Sprintf(`{"flags":{"player-state-percent":{"state":"ENABLED","variants":{"now":%d},"defaultVariant":"now"}}}`, percent)
			if err := os.WriteFile(flag, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			r := run(t, "--sidecar", sidecar, "--flag-file", flag, "--ledger", filepath.Join(dir, "ledger.db"))
			hunt := r.ticketToEnd()
			if feed := r.feedOf("grpc"); !feed[hunt] {
				t.Errorf("the merged feed has %v, want %s", feed, hunt)
			}
			if feed := r.feedOf("feed"); feed[hunt] == onSidecar {
				t.Errorf("at %d %% the old engine's feed has %v", percent, feed)
			}
			r.end()
		})
	}
}

func TestTheAdminPortHasTheRouterForOperators(t *testing.T) {
	dir := t.TempDir()
	r := run(t, "--sidecar", serveEngine(t, filepath.Join(dir, "sidecar")), "--flag-file", filepath.Join(dir, "flag.json"), "--ledger", filepath.Join(dir, "ledger.db"))
	for path, want := range map[string]string{"/router/status": `"breaker":"closed"`, "/router/repair": `"hunts":[]`} {
		response, err := r.http.Get("http://admin" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %s, want %s", path, response.StatusCode, body, want)
		}
	}
	r.end()
}

// serveEngine serves a Go engine that a router claims, until the test is over.
func serveEngine(t *testing.T, path string) (addr string) {
	t.Helper()
	engine := legacy.New(legacy.Config{})
	server, err := serve.NewServer(serve.Config{Commander: engine, Feeder: engine, Mover: engine, Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := serve.Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := engine.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return "unix:" + path
}

func TestALedgerThatIsHeldElsewhereIsNamed(t *testing.T) {
	dir := t.TempDir()
	args := []string{"--sidecar", "unix:" + filepath.Join(dir, "nobody"), "--flag-file", filepath.Join(dir, "flag.json"), "--ledger", filepath.Join(dir, "ledger.db")}
	first := run(t, args...)
	elsewhere := []string{"--listen", "unix:" + filepath.Join(dir, "grpc"), "--http", "unix:" + filepath.Join(dir, "http"), "--admin", ""}
	if code := new(settings).program().Execute(t.Context(), append(args, elsewhere...), io.Discard, t.Output()); code != program.ExitLocked {
		t.Errorf("exit code %d, want %d", code, program.ExitLocked)
	}
	first.end()
}

func TestAnAddressThatIsHeldElsewhereIsNamed(t *testing.T) {
	held, err := program.Listen(t.Context(), "tcp:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	for _, setting := range []string{"listen", "legacy-feed-listen", "http"} {
		args := []string{"--admin", ""}
		for _, other := range []string{"listen", "legacy-feed-listen", "http"} {
			addr := "unix:" + filepath.Join(t.TempDir(), "s")
			if other == setting {
				addr = held.Addr().String()
			}
			args = append(args, "--"+other, addr)
		}
		var stderr bytes.Buffer
		code := new(settings).program().Execute(t.Context(), args, io.Discard, &stderr)
		if code != program.ExitLocked || !strings.Contains(stderr.String(), "matchmaker: listen on "+strconv.Quote(held.Addr().String())) {
			t.Errorf("--%s: exit code %d, want %d and a sentence: %s", setting, code, program.ExitLocked, stderr.String())
		}
	}
}

func TestWhatCannotBeUsedHasTheExitCodeOfItsCause(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // of one that starts for all that
	defer cancel()
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk")
	if err := os.WriteFile(junk, []byte(strings.Repeat("no ledger ", 2000)), 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(dir, "nowhere", "l.db")
	routed := []string{"--sidecar", "unix:" + filepath.Join(dir, "nobody"), "--flag-file", filepath.Join(dir, "flag.json")}
	for _, test := range []struct {
		args []string
		code int
		says string
	}{
		{append(routed, "--ledger", nowhere), program.ExitSettings, "its directory has to be there"},
		{append(routed, "--ledger", dir), program.ExitSettings, dir},
		{append(routed, "--ledger", junk), program.ExitData, "restore it"},
		{[]string{"--rules", nowhere}, program.ExitSettings, nowhere},
		{[]string{"--hunt-ruleset", "classic,clasic"}, program.ExitSettings, "clasic: there is no such ruleset; with this --rules there are classic"},
	} {
		args := append(test.args, "--admin", "", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
		var stderr bytes.Buffer
		code := new(settings).program().Execute(ctx, args, io.Discard, &stderr)
		if code != test.code || !strings.Contains(stderr.String(), test.says) {
			t.Errorf("%v: exit code %d, want %d and %q: %s", args, code, test.code, test.says, stderr.String())
		}
	}
}

func TestARouterThatFailedEndsTheProcessWithItsReason(t *testing.T) {
	failed := make(chan struct{})
	close(failed)
	s := &shard{failed: failed, why: func() error { return errors.New("disk full") }}
	err := s.watch(t.Context())
	var exit *program.ExitError
	if !errors.As(err, &exit) || exit.Code != program.ExitFailure || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("%v, want exit code %d and the reason", err, program.ExitFailure)
	}
}
