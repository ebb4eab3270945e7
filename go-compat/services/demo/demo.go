// Package demo plays the story on this machine: a shard of real processes, a
// crowd of bots, the percentage raised and lowered under load, the sidecar killed in
// the midst of it, and an audit that holds what the bots were answered against what the
// aggregator counted.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"treasurehunt.example/go-compat/router/ledger"
	"treasurehunt.example/go-compat/rulesets"
	"treasurehunt.example/go-compat/services/audit"
	"treasurehunt.example/go-compat/services/canary"
	"treasurehunt.example/go-compat/services/localshard"
)

// Config says how the demo runs.
type Config struct {
	BinDir   string // the programs
	Dir      string // sockets, logs, stores; made anew
	Seed     uint64
	Players  int
	Phases   []Phase
	Hunts    time.Duration // how long a hunt takes
	Keep     bool          // leave it running after the audit, until ctx is over
	Out      io.Writer
	Terminal bool // Out is a terminal: the table is refreshed in place
}

// Phase is a time at one value of the flag.
type Phase struct {
	Percent float64
	For     time.Duration
	Crash   bool // half way through it the sidecar is killed, and started again
}

// The demo's hunts: small and crowded, so that every power-up finds somebody.
const (
	huntPlayers = 25
	startLimit  = 20 * time.Second
	endSlack    = 10 * time.Second // beyond a hunt's length, for the running ones to end once no new ones begin
	settleLimit = 20 * time.Second // for the aggregator to have read everything
	stopLimit   = 10 * time.Second
	claimLimit  = 20 * time.Second // for a sidecar that was killed to be back, with all of its hunts
)

// StoryPhases is the whole way up and down again.
func StoryPhases() []Phase {
	return []Phase{
		{Percent: 0, For: 10 * time.Second},
		{Percent: 25, For: 15 * time.Second},
		{Percent: 100, For: 18 * time.Second, Crash: true},
		{Percent: 0, For: 12 * time.Second},
	}
}

type demo struct {
	Config
	config localshard.Config
	shard  *localshard.Shard
	bots   *localshard.Process
	report string // the file that the bots write when they are done
}

// Run runs the demo. Its error is [ErrAudit] when something was lost or doubled.
func Run(ctx context.Context, config Config) (err error) {
	if err := os.RemoveAll(config.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(config.Dir, 0o755); err != nil {
		return err
	}
	if err := writeRules(rulesDir(config)); err != nil {
		return err
	}
	d := &demo{Config: config, config: shardConfig(config), report: filepath.Join(config.Dir, "bots-report.json")}
	fmt.Fprintf(d.Out, "starting a shard: sidecar, matchmaker with its router, stat aggregator; logs in %s\n", filepath.Join(d.Dir, "logs"))
	starting, cancel := context.WithTimeout(ctx, startLimit)
	d.shard, err = localshard.Start(starting, d.config)
	cancel()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()

	d.lookAround()
	if err := d.play(ctx); err != nil {
		return err
	}
	report, err := audit.ReadFile(d.report)
	if err != nil {
		return err
	}
	err = d.audit(ctx, report)
	d.linger(ctx, report)
	return err
}

// rulesDir holds the rulesets beside classic. Both engines and the bots read it, and
// an edit in there is for the next hunts.
func rulesDir(config Config) string { return filepath.Join(config.Dir, "rules") }

func writeRules(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "frenzy.toml"), rulesets.Frenzy(), 0o644)
}

func shardConfig(config Config) localshard.Config {
	rules := []string{"--rules", rulesDir(config)}
	return localshard.Config{
		BinDir:  config.BinDir,
		Dir:     config.Dir,
		Percent: config.Phases[0].Percent,
		Args: map[string][]string{
			"player-state": rules,
			"matchmaker": append([]string{
				"--hunt-ruleset", "classic,frenzy",
				"--hunt-width", "16", "--hunt-height", "16", "--hunt-treasures", "110", "--hunt-caches", "110",
				"--hunt-duration", config.Hunts.String(),
				"--hunt-players-min", "5", "--hunt-players-max", fmt.Sprint(huntPlayers), "--hunt-wait-max", "1s",
				"--window-initial", "500", "--window-growth", "500", "--region-relax-after", "2s",
			}, rules...),
			"bots": append([]string{"--drain-within", (config.Hunts + endSlack).String()}, rules...),
		},
	}
}

// play moves the percentage under the bots' load, and shows what happens.
func (d *demo) play(ctx context.Context) (err error) {
	d.bots, err = localshard.Launch(d.config, "bots",
		"--router", "tcp:"+d.shard.Router, "--matchmaker", d.shard.MatchmakerHTTP,
		"--seed", fmt.Sprint(d.Seed), "--players", fmt.Sprint(d.Players), "--report", d.report)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.Out, "%d bots from seed %d ask the matchmaker for hunts of %d players and %s, by the rulesets classic and frenzy in turn\n\n", d.Players, d.Seed, huntPlayers, d.Hunts)
	shown := &table{out: d.Out, terminal: d.Terminal}
	for _, phase := range d.Phases {
		if err := d.shard.SetPercent(phase.Percent); err != nil {
			return err
		}
		if err := d.playPhase(ctx, shown, phase); err != nil {
			return err
		}
	}
	stopped := make(chan error, 1)
	go func() {
		stopping, cancel := context.WithTimeout(ctx, d.Hunts+endSlack+stopLimit)
		defer cancel()
		stopped <- d.bots.Stop(stopping)
	}()
	if err := d.watch(ctx, shown, "no new hunts; the running ones play to their end", d.Hunts+endSlack, true); err != nil {
		return err
	}
	return <-stopped
}

func (d *demo) playPhase(ctx context.Context, shown *table, phase Phase) error {
	headline := fmt.Sprintf("flag at %g %% of new hunts, for %s", phase.Percent, phase.For)
	if !phase.Crash {
		return d.watch(ctx, shown, headline, phase.For, false)
	}
	if err := d.watch(ctx, shown, headline, phase.For/2, false); err != nil {
		return err
	}
	if err := d.crash(ctx); err != nil {
		return err
	}
	return d.watch(ctx, shown, headline+", the sidecar killed once and back", phase.For/2, false)
}

// crash kills the sidecar as a machine would, starts it again on the same data, and
// waits until the router has claimed its hunts.
func (d *demo) crash(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, claimLimit)
	defer cancel()
	router := canary.Client{Base: "http://" + d.shard.Matchmaker.Admin}
	before, err := router.Status(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := d.shard.Sidecar.Kill(); err != nil {
		return err
	}
	if err := d.shard.Sidecar.Restart(ctx); err != nil {
		return err
	}
	ready := time.Since(began)
	if err := d.shard.AwaitClaims(ctx); err != nil {
		return err
	}
	fmt.Fprintf(d.Out, "\nthe sidecar was killed (SIGKILL) with %d hunts: ready again after %s, its hunts claimed and new ones placed after %s\n\n",
		before.HuntsOf(ledger.Sidecar), ready.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
	return nil
}

// watch draws the table once a second, or now and then where it cannot be
// refreshed, until the time is over or the bots are done. That they end is an
// error unless ending says that they were told to.
func (d *demo) watch(ctx context.Context, shown *table, headline string, length time.Duration, ending bool) error {
	earlier, err := scrape(ctx, d.shard.Matchmaker)
	if err != nil {
		return err
	}
	defer shown.keep()
	every := time.Second
	if !d.Terminal {
		every = length/2 - time.Second/10
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	over := time.After(length)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			return nil
		case <-d.bots.Exited():
			if ending {
				return nil
			}
			return fmt.Errorf("the bots ended early; see %s", d.bots.LogPath())
		case <-tick.C:
			later, err := scrape(ctx, d.shard.Matchmaker)
			if err != nil {
				return err
			}
			shown.draw(headline, earlier, later)
			earlier = later
		}
	}
}

// lookAround prints how to see for oneself, while it plays.
func (d *demo) lookAround() {
	fmt.Fprintf(d.Out, `
look around:
  curl -s http://%[1]s/v1/leaderboards/score?limit=5   # the aggregator: who leads
  curl -s http://%[1]s/v1/feeds                        # how far it has read both feeds
  curl -s http://%[2]s/v1/hunts                        # the matchmaker
  curl -s http://%[3]s/metrics | grep ^router_         # the router: shares, breaker, latencies
  %[8]s status --admin %[3]s                     # the same at a glance
  curl -s http://%[4]s/metrics | grep ^player_state_   # the sidecar
  grpcurl -plaintext %[5]s list                        # the sidecar's services; `+"`make tools`"+` puts grpcurl into .tools/bin
  %[6]s   # the flag: change the number, and new hunts follow
  %[7]s   # a ruleset: change it, and new hunts of both engines follow

`, d.shard.AggregatorHTTP, d.shard.MatchmakerHTTP, d.shard.Matchmaker.Admin, d.shard.Sidecar.Admin, d.shard.SidecarAddr, d.shard.FlagFile(),
		filepath.Join(rulesDir(d.Config), "frenzy.toml"), filepath.Join(d.BinDir, "canaryctl"))
}

// linger leaves the shard running until ctx is over, if that was asked for.
func (d *demo) linger(ctx context.Context, report *audit.Report) {
	if !d.Keep {
		fmt.Fprintln(d.Out, "\nmake demo KEEP=1 leaves the shard running, to look around")
		return
	}
	d.lookAround()
	if n := len(report.Hunts); n > 0 {
		fmt.Fprintf(d.Out, "  grpcurl -plaintext -max-time 1 -d '{\"hunt_id\": %q, \"top\": 3}' %s treasurehunt.playerstate.v1.PlayerStateService/GetHunt\n",
			report.Hunts[n-1].ID, d.shard.Router)
	}
	fmt.Fprintln(d.Out, "\nleft running; Ctrl-C or SIGTERM ends it")
	<-ctx.Done()
}

func (d *demo) stop() error {
	stopping, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	var errs []error
	if d.bots != nil {
		errs = append(errs, d.bots.Kill())
	}
	return errors.Join(append(errs, d.shard.Stop(stopping))...)
}
