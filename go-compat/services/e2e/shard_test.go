//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/audit"
	"treasurehunt.example/go-compat/services/localshard"
	"treasurehunt.example/go-compat/sidecar"
)

// quickHunts are hunts short and small enough for a test.
var quickHunts = map[string][]string{"matchmaker": {
	"--hunt-width", "12", "--hunt-height", "12", "--hunt-treasures", "60", "--hunt-caches", "60",
	"--hunt-duration", "3s", "--hunt-players-min", "5", "--hunt-players-max", "20", "--hunt-wait-max", "500ms",
	"--window-initial", "1000", "--region-relax-after", "0s",
}}

// crowd is a running bots process.
type crowd struct {
	*localshard.Process
	report string
}

func startCrowd(t *testing.T, shard *localshard.Shard, config localshard.Config, players int) *crowd {
	t.Helper()
	config.BinDir, config.Dir = binary(""), shard.Dir
	report := filepath.Join(t.TempDir(), "report.json")
	process, err := localshard.Launch(config, "bots",
		"--router", "tcp:"+shard.Router, "--matchmaker", shard.MatchmakerHTTP,
		// The longest deadline there is: what a busy machine does to a shorter one is not what is tested.
		"--players", fmt.Sprint(players), "--think", "100ms", "--deadline", "2s", "--drain-within", "20s", "--report", report)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Kill() })
	return &crowd{process, report}
}

// finish lets the running hunts end and gives what the bots were answered.
func (c *crowd) finish(t *testing.T) *audit.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	report, err := audit.ReadFile(c.report)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Hunts) == 0 {
		t.Fatal("the bots played nothing: the test shows nothing")
	}
	return report
}

// restart starts a process again that was killed.
func restart(t *testing.T, p *localshard.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.Restart(ctx); err != nil {
		t.Fatal(err)
	}
}

func dial(t testing.TB, target string) *sidecar.Client {
	t.Helper()
	client, err := sidecar.Dial(sidecar.Config{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		client.Close(ctx)
	})
	return client
}

var settings = &pb.HuntSettings{
	Seed: 7, Width: 16, Height: 16, Treasures: 40, Caches: 40, MaxPlayers: 10, DurationMs: 600_000,
}

func createHunt(t *testing.T, engine playerstate.Commander, id string) {
	t.Helper()
	if _, err := engine.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: id, Settings: settings}); err != nil {
		t.Fatalf("create %s: %v", id, err)
	}
}

func join(t *testing.T, engine playerstate.Commander, hunt string, player, request uint64) *pb.Outcome {
	t.Helper()
	return joinIn(t.Context(), t, engine, hunt, player, request)
}

func joinIn(ctx context.Context, t *testing.T, engine playerstate.Commander, hunt string, player, request uint64) *pb.Outcome {
	t.Helper()
	outcome, err := engine.Apply(ctx, &pb.Command{
		HuntId: hunt, PlayerId: player, RequestId: request, Action: &pb.Command_Join{Join: &pb.Join{}},
	})
	if err != nil {
		t.Fatalf("join %s: %v", hunt, err)
	}
	return outcome
}

// holds says whether the engine itself, asked behind the router's back, has the hunt.
func holds(t *testing.T, engine playerstate.Commander, hunt string) bool {
	t.Helper()
	_, err := engine.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: hunt})
	if err != nil && status.Code(err) != codes.NotFound {
		t.Fatalf("get %s: %v", hunt, err)
	}
	return err == nil
}

func TestFlagPlacesNewHuntsAndRunningOnesStay(t *testing.T) {
	t.Parallel()
	shard := startShard(t, localshard.Config{Percent: 0})
	router, engine := dial(t, "tcp:"+shard.Router), dial(t, shard.SidecarSocket)

	createHunt(t, router, "born-at-0")
	if holds(t, engine, "born-at-0") {
		t.Fatal("at 0 % a hunt went to the sidecar")
	}
	setPercent(t, shard, 100)
	createHunt(t, router, "born-at-100")
	if !holds(t, engine, "born-at-100") {
		t.Fatal("at 100 % a hunt did not go to the sidecar")
	}
	setPercent(t, shard, 0)
	for request, id := range []string{"born-at-0", "born-at-100"} {
		if got := join(t, router, id, 1, uint64(request+1)); got.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
			t.Errorf("%s no longer plays after the flag moved: %v", id, got)
		}
	}
	if !holds(t, engine, "born-at-100") {
		t.Error("lowering the flag took a running hunt from the sidecar")
	}
}

func TestTornOrSillyFlagFileChangesNothing(t *testing.T) {
	t.Parallel()
	shard := startShard(t, localshard.Config{Percent: 100})
	router, engine := dial(t, "tcp:"+shard.Router), dial(t, shard.SidecarSocket)
	for name, silly := range map[string]string{
		"torn": `{"flags":{"player-state-perc`, "empty": "", "text": flagText(`"50%"`), "below": flagText("-1"), "above": flagText("100.1"),
	} {
		setPercent(t, shard, 100)
		if err := shard.WriteFlagFile([]byte(silly)); err != nil {
			t.Fatal(err)
		}
		awaitGauge(t, shard.Matchmaker, "rollout_flag_lost", 1)
		createHunt(t, router, "born-under-"+name)
		if !holds(t, engine, "born-under-"+name) {
			t.Errorf("a flag file that is %s changed where hunts go", name)
		}
	}
}

// setPercent sets the flag and waits until the router has taken it.
func setPercent(t *testing.T, shard *localshard.Shard, percent float64) {
	t.Helper()
	if err := shard.SetPercent(percent); err != nil {
		t.Fatal(err)
	}
	awaitGauge(t, shard.Matchmaker, "rollout_flag_lost", 0)
	awaitGauge(t, shard.Matchmaker, "router_effective_percent", percent)
}

func flagText(value string) string {
	return `{"flags":{"player-state-percent":{"state":"ENABLED","variants":{"now":` + value + `},"defaultVariant":"now"}}}`
}

func TestSidecarAwayNewHuntsGoToGoAndItsOwnWait(t *testing.T) {
	t.Parallel()
	shard := startShard(t, localshard.Config{Percent: 100})
	router := dial(t, "tcp:"+shard.Router)
	createHunt(t, router, "at-the-sidecar")
	joined := join(t, router, "at-the-sidecar", 1, 1)

	if err := shard.Sidecar.Kill(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	createHunt(t, router, "meanwhile")
	if took := time.Since(start); took > playerstate.DefaultTimeout {
		t.Errorf("a new hunt waited %s for a dead sidecar", took)
	}
	if got := join(t, router, "meanwhile", 1, 1); got.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		t.Errorf("a hunt created without the sidecar does not play: %v", got)
	}
	wantUnavailable(t, router, "at-the-sidecar")

	// Back on its data directory, it has the hunt, and the router claims it.
	restart(t, shard.Sidecar)
	var again *pb.Outcome
	err := localshard.Await(10*time.Second, func() (err error) {
		again, err = router.Apply(t.Context(), &pb.Command{
			HuntId: "at-the-sidecar", PlayerId: 1, RequestId: 1, Action: &pb.Command_Join{Join: &pb.Join{}},
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if again.GetVerdict() != pb.Verdict_VERDICT_DUPLICATE || again.GetSequence() != joined.GetSequence() {
		t.Errorf("a request that was answered before the crash got %v, want a duplicate of %v", again, joined)
	}

	if got := join(t, router, "meanwhile", 1, 2); got.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		t.Errorf("the hunt that began without the sidecar: %v", got)
	}
}

func TestFrozenSidecarHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	shard := startShard(t, localshard.Config{Percent: 100})
	router := dial(t, "tcp:"+shard.Router)
	createHunt(t, router, "at-the-sidecar")
	join(t, router, "at-the-sidecar", 1, 1)

	if err := shard.Sidecar.Pause(); err != nil {
		t.Fatal(err)
	}
	asked := 0
	err := localshard.Await(5*time.Second, func() error { // until the breaker has seen a second without progress
		asked++
		start := time.Now()
		_, err := router.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: fmt.Sprintf("meanwhile-%d", asked), Settings: settings})
		if took := time.Since(start); took > playerstate.DefaultTimeout+100*time.Millisecond {
			t.Errorf("CreateHunt was answered after %s", took)
		}
		return err
	})
	if err != nil {
		t.Fatalf("with the sidecar frozen, no new hunt begins: %v", err)
	}
	start := time.Now()
	if _, err := router.GetPlayer(t.Context(), &pb.GetPlayerRequest{HuntId: "at-the-sidecar", PlayerId: 1}); err == nil {
		t.Error("a frozen sidecar answered")
	}
	if took := time.Since(start); took > playerstate.DefaultTimeout+100*time.Millisecond {
		t.Errorf("a read of its hunt was answered after %s", took)
	}

	if err := shard.Sidecar.Resume(); err != nil {
		t.Fatal(err)
	}
	awaitGauge(t, shard.Matchmaker, "router_effective_percent", 100)
	if got := join(t, router, "at-the-sidecar", 2, 1); got.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		t.Errorf("thawed, its hunt does not go on: %v", got)
	}
}

func wantUnavailable(t *testing.T, router playerstate.Commander, hunt string) {
	t.Helper()
	_, err := router.Apply(t.Context(), &pb.Command{
		HuntId: hunt, PlayerId: 1, RequestId: 2, Action: &pb.Command_Dig{Dig: &pb.Dig{}},
	})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("a command for %s got %v, want UNAVAILABLE", hunt, err)
	}
}

func TestRouterRestartNeitherMovesNorRevivesAHunt(t *testing.T) {
	t.Parallel()
	shard := startShard(t, localshard.Config{Percent: 100})
	router := dial(t, "tcp:"+shard.Router)
	createHunt(t, router, "stays")
	join(t, router, "stays", 1, 1)
	if err := shard.SetPercent(0); err != nil {
		t.Fatal(err)
	}
	if err := shard.Matchmaker.Kill(); err != nil {
		t.Fatal(err)
	}
	restart(t, shard.Matchmaker)
	again := dial(t, "tcp:"+shard.Router)
	if got := join(t, again, "stays", 2, 1); got.GetSequence() != 3 {
		t.Errorf("after a restart of the router the hunt goes on at %v, want sequence 3", got)
	}
	if got := join(t, again, "stays", 1, 1); got.GetVerdict() != pb.Verdict_VERDICT_DUPLICATE {
		t.Errorf("a request repeated over the router's restart: %v", got)
	}
}

func TestAggregatorFaultsNeitherReachCallersNorTheCount(t *testing.T) {
	t.Parallel()
	config := localshard.Config{Percent: 50, Args: quickHunts}
	shard := startShard(t, config)
	bots := startCrowd(t, shard, config, 200)

	time.Sleep(2 * time.Second) // some play first
	if err := shard.Aggregator.Kill(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // play without it
	restart(t, shard.Aggregator)
	if err := shard.Aggregator.Pause(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute) // play while it hangs
	if err := shard.Aggregator.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := shard.Aggregator.Kill(); err != nil {
		t.Fatal(err)
	}
	restart(t, shard.Aggregator)

	report := bots.finish(t)
	if report.FailedCalls != 0 || report.Unheard != 0 {
		t.Errorf("%d calls failed and %d commands were never answered while the aggregator was away", report.FailedCalls, report.Unheard)
	}
	wantClean(t, shard, report)
}

func TestTheSameProgramsPlayWithTheOldEngineAlone(t *testing.T) {
	t.Parallel()
	config := localshard.Config{LegacyOnly: true, Args: quickHunts}
	shard := startShard(t, config)
	bots := startCrowd(t, shard, config, 100)
	time.Sleep(3 * time.Second) // they play
	wantClean(t, shard, bots.finish(t))
}

func TestFlagFlipsUnderPlayLoseNothing(t *testing.T) {
	t.Parallel()
	config := localshard.Config{Percent: 0, Args: quickHunts}
	shard := startShard(t, config)
	bots := startCrowd(t, shard, config, 200)
	flips := 3
	if *long {
		flips = 200
	}
	for range flips {
		for _, percent := range []float64{25, 100, 0} {
			time.Sleep(time.Second) // hunts begin under this value
			if err := shard.SetPercent(percent); err != nil {
				t.Fatal(err)
			}
		}
	}
	wantClean(t, shard, bots.finish(t))
}
