// Command canaryctl is how operators look at the router of a shard, and decide about
// hunts that it cannot serve.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"treasurehunt.example/go-compat/router"
	"treasurehunt.example/go-compat/router/ledger"
	"treasurehunt.example/go-compat/services/canary"
	"treasurehunt.example/go-compat/services/program"
	"treasurehunt.example/go-compat/services/program/jsonapi"
)

func main() { os.Exit(execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

const adminVariable = "CANARYCTL_ADMIN"

// settings are what every command has.
type settings struct {
	admin   string
	output  string
	timeout time.Duration
}

// execute runs one command and returns its exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return program.Run(ctx, newRoot(), args, stdout, stderr)
}

// coded is err with the exit code that it ends canaryctl with.
func coded(err error) error {
	var refused *jsonapi.Error
	switch {
	case errors.As(err, &refused) && refused.Code == "invalid_argument":
		return &program.ExitError{Code: program.ExitUsage, Err: err}
	case errors.Is(err, canary.ErrUnreachable):
		return &program.ExitError{Code: program.ExitDependency, Err: err}
	}
	return err
}

func newRoot() *cobra.Command {
	s := &settings{}
	root := &cobra.Command{
		Use:           "canaryctl",
		Version:       program.Version(),
		Short:         "Looks at the router of a shard, and decides about hunts that it cannot serve",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	admin := "127.0.0.1:9101"
	if set := os.Getenv(adminVariable); set != "" {
		admin = set
	}
	flags := root.PersistentFlags()
	flags.StringVar(&s.admin, "admin", admin, "the admin address of the shard's matchmaker, HOST:PORT; also "+adminVariable)
	flags.StringVarP(&s.output, "output", "o", "table", "table or json")
	flags.DurationVar(&s.timeout, "timeout", 5*time.Second, "how long the call may take")
	root.AddCommand(s.statusCommand(), s.repairCommand())
	return root
}

func (s *settings) client() *canary.Client { return &canary.Client{Base: "http://" + s.admin} }

// call is a command: it checks what all of them share, and gives do its time.
func (s *settings) call(do func(ctx context.Context, out io.Writer) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		if s.output != "table" && s.output != "json" {
			return program.Exit(program.ExitUsage, "the command line: --output must be table or json, not %q", s.output)
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), s.timeout)
		defer cancel()
		return coded(do(ctx, cmd.OutOrStdout()))
	}
}

func (s *settings) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "The router at a glance: where new hunts go, which engine has how many, what is wrong",
		Args:  cobra.NoArgs,
		RunE: s.call(func(ctx context.Context, out io.Writer) error {
			status, err := s.client().Status(ctx)
			if err != nil {
				return err
			}
			return s.print(out, status, func(w io.Writer) { writeStatus(w, status) })
		}),
	}
}

func (s *settings) repairCommand() *cobra.Command {
	var lose, reason string
	repair := &cobra.Command{
		Use:   "repair",
		Short: "Lists the hunts that are not at their owner, or gives one of them up",
		Long: `Lists the hunts that their owner does not serve though it answers, with the
reason. They are neither served elsewhere nor begun anew, and wait: for a sidecar
that comes back with them, as from a restored data directory, or for a person who
gives them up.

With --lose HUNT --reason TEXT it marks one of them as LOST in the ledger, for good.`,
		Args: cobra.NoArgs,
		RunE: s.call(func(ctx context.Context, out io.Writer) error {
			if (lose == "") != (reason == "") {
				return program.Exit(program.ExitUsage,
					"the command line: --lose and --reason go together: a hunt that is given up has a reason in the ledger")
			}
			if lose == "" {
				return s.listMissing(ctx, out)
			}
			if err := s.client().Lose(ctx, lose, reason); err != nil {
				return err
			}
			return s.print(out, canary.Lose{HuntID: lose, Reason: reason}, func(w io.Writer) {
				fmt.Fprintf(w, "hunt %s is LOST\n", lose)
			})
		}),
	}
	repair.Flags().StringVar(&lose, "lose", "", "the hunt to give up, for good; with --reason")
	repair.Flags().StringVar(&reason, "reason", "", "why, for who reads the ledger later; with --lose")
	return repair
}

func (s *settings) listMissing(ctx context.Context, out io.Writer) error {
	hunts, err := s.client().Missing(ctx)
	if err != nil {
		return err
	}
	return s.print(out, canary.Repair{Hunts: hunts}, func(w io.Writer) { writeMissing(w, hunts) })
}

// print writes value as JSON, or has table write it.
func (s *settings) print(out io.Writer, value any, table func(io.Writer)) error {
	if s.output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	table(w)
	return w.Flush()
}

func writeMissing(w io.Writer, hunts []router.MissingHunt) {
	if len(hunts) == 0 {
		fmt.Fprintln(w, "every hunt was at its owner when that was last asked")
		return
	}
	fmt.Fprintln(w, "HUNT\tOWNER\tEPOCH\tSINCE\tWHY")
	for _, hunt := range hunts {
		since := time.UnixMilli(hunt.SinceMs).UTC().Format(time.RFC3339)
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\n", hunt.HuntID, hunt.Owner, hunt.Epoch, since, hunt.Why)
	}
}

func writeStatus(w io.Writer, s router.Status) {
	fmt.Fprintf(w, "ledger\t%s, opened %d times\n", s.LedgerID, s.Incarnation)
	fmt.Fprintf(w, "new hunts\t%g %% to the sidecar, by a flag of %g %%\n", s.EffectivePercent, s.FlagPercent)
	fmt.Fprintf(w, "breaker\t%s\n", s.Breaker)
	if s.BreakerCause != "" {
		fmt.Fprintf(w, "opened last\t%s\n", s.BreakerCause)
	}
	if s.Unfit != "" {
		fmt.Fprintf(w, "unfit\t%s\n", s.Unfit)
	}
	if s.RecoveringMs > 0 {
		fmt.Fprintf(w, "recovering\tfor %s\n", time.Duration(s.RecoveringMs)*time.Millisecond)
	}
	if s.MissingHunts > 0 {
		fmt.Fprintf(w, "missing\t%d hunts: canaryctl repair\n", s.MissingHunts)
	}
	for _, state := range ledger.States {
		fmt.Fprintf(w, "%s\t%d\n", state, s.Ledger[state])
	}
	for _, engine := range s.Engines {
		fmt.Fprintf(w, "%s\t%d hunts", engine.Engine, engine.Hunts)
		for _, verdict := range slices.Sorted(maps.Keys(engine.Commands)) {
			fmt.Fprintf(w, ", %d %s", engine.Commands[verdict], verdict)
		}
		fmt.Fprintln(w)
	}
}
