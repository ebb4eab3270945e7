package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router"
	"treasurehunt.example/go-compat/router/ledger"
	"treasurehunt.example/go-compat/services/canary"
	"treasurehunt.example/go-compat/services/program"
	"treasurehunt.example/go-compat/services/program/jsonapi"
)

// aRouter has one hunt that is missing.
type aRouter struct{ lost, why string }

func (r *aRouter) Status() router.Status {
	return router.Status{
		LedgerID: "L", Incarnation: 3, FlagPercent: 25, Breaker: "closed", Unfit: "it refuses this router", MissingHunts: 1,
		Ledger:  map[ledger.State]int{ledger.Owned: 4},
		Engines: []router.EngineStatus{{Engine: ledger.Sidecar, Hunts: 4, Commands: map[string]uint64{"applied": 7}}},
	}
}

func (r *aRouter) Missing() []router.MissingHunt {
	if r.lost != "" {
		return nil
	}
	return []router.MissingHunt{{HuntID: "h-1", Owner: ledger.Sidecar, Epoch: 1<<53 + 1, Why: "the engine has not got it", SinceMs: 1_700_000_000_000}}
}

func (r *aRouter) GiveUp(_ context.Context, huntID, reason string) error {
	if huntID != "h-1" {
		return playerstate.NotApplied(codes.FailedPrecondition, "hunt %q is not missing", huntID)
	}
	r.lost, r.why = huntID, reason
	return nil
}

// run runs canaryctl against a router, and gives its exit code and what it wrote.
func run(t *testing.T, r canary.Router, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	api := jsonapi.New(slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	canary.Routes(api, r)
	server := httptest.NewServer(api)
	defer server.Close()
	var out, errs bytes.Buffer
	args = append(args, "--admin", strings.TrimPrefix(server.URL, "http://"))
	code = execute(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestRepairListsWhatIsMissingForPeopleAndForPrograms(t *testing.T) {
	r := &aRouter{}
	code, out, _ := run(t, r, "repair")
	for _, want := range []string{"h-1", "sidecar", "9007199254740993", "2023-11-14T22:13:20Z", "has not got it"} {
		if code != program.ExitOK || !strings.Contains(out, want) {
			t.Errorf("exit code %d, no %q in %s", code, want, out)
		}
	}
	code, out, _ = run(t, r, "repair", "-o", "json")
	var repair canary.Repair
	if err := json.Unmarshal([]byte(out), &repair); err != nil || code != program.ExitOK || len(repair.Hunts) != 1 || repair.Hunts[0] != r.Missing()[0] {
		t.Errorf("%d, %v: %s", code, err, out)
	}
}

func TestAHuntIsGivenUpWithAReasonOnly(t *testing.T) {
	r := &aRouter{}
	if code, _, stderr := run(t, r, "repair", "--lose", "h-1"); code != program.ExitUsage || r.lost != "" || !strings.Contains(stderr, "--reason") {
		t.Errorf("exit code %d, lost %q: %s", code, r.lost, stderr)
	}
	if code, out, _ := run(t, r, "repair", "--lose", "h-1", "--reason", "disk gone"); code != program.ExitOK || r.why != "disk gone" || !strings.Contains(out, "LOST") {
		t.Errorf("exit code %d, why %q: %s", code, r.why, out)
	}
	if _, out, _ := run(t, r, "repair"); !strings.Contains(out, "every hunt was at its owner") {
		t.Error(out)
	}
}

func TestStatusSaysWhatIsWrong(t *testing.T) {
	code, out, _ := run(t, &aRouter{}, "status")
	for _, want := range []string{"it refuses this router", "canaryctl repair", "flag of 25 %", "7 applied"} {
		if code != program.ExitOK || !strings.Contains(out, want) {
			t.Errorf("exit code %d, no %q in %s", code, want, out)
		}
	}
}

func TestEachFailureHasTheExitCodeOfItsCause(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"unknown flag":   {[]string{"repair", "--loose"}, program.ExitUsage, "--loose"},
		"unknown output": {[]string{"status", "-o", "yaml"}, program.ExitUsage, "yaml"},
		"refused":        {[]string{"repair", "--lose", "h-2", "--reason", "why not"}, program.ExitFailure, "is not missing"},
		"reason":         {[]string{"repair", "--lose", "h-1", "--reason", strings.Repeat("x", 501)}, program.ExitUsage, "500"},
	} {
		code, _, stderr := run(t, &aRouter{}, test.args...)
		if code != test.code || !strings.Contains(stderr, test.says) {
			t.Errorf("%s: exit code %d, want %d and %q: %s", name, code, test.code, test.says, stderr)
		}
	}
	var errs bytes.Buffer
	if code := execute(t.Context(), []string{"status", "--admin", "127.0.0.1:1"}, &bytes.Buffer{}, &errs); code != program.ExitDependency {
		t.Errorf("nobody there: exit code %d, want %d: %s", code, program.ExitDependency, errs.String())
	}
	other := httptest.NewServer(nil) // somebody else's port
	defer other.Close()
	if code := execute(t.Context(), []string{"status", "--admin", strings.TrimPrefix(other.URL, "http://")}, &bytes.Buffer{}, &errs); code != program.ExitDependency {
		t.Errorf("another program there: exit code %d, want %d", code, program.ExitDependency)
	}
}
