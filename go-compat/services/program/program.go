package program

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Program is one program of the shard.
type Program struct {
	// Name is what it is called. Its environment variables begin with it, in
	// capitals: MATCHMAKER_LISTEN.
	Name string
	// Short is one line for --help; Long, if any, takes its place there.
	Short, Long string
	// Admin is the default of --admin; "" has no admin listener by default.
	Admin string
	// Settings is the table. The kit adds config, log-level, log-format, admin
	// and drain-within.
	Settings []Setting
	// Check, if any, looks at settings that depend on one another, after each
	// was found good alone. Its error is a usage error unless it says otherwise.
	Check func() error
	// Run does the program's work until ctx is over, then drains within
	// [Process.DrainWithin] and returns nil. Its error ends the program with
	// code 1, or with that of an [ExitError].
	Run func(ctx context.Context, p *Process) error
	// Commands are further commands of the program, beside its Run.
	Commands []*cobra.Command
}

// common are the settings that every program has.
type common struct {
	logLevel, logFormat, admin string
	drainWithin                time.Duration
}

// Main runs the program with the arguments of the process, and exits.
func (p Program) Main() {
	os.Exit(p.Execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// Execute runs the program until it is done, until ctx is over, or until
// SIGTERM, SIGINT, or a SIGHUP that is no reload, and returns its exit code.
func (p Program) Execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return Run(ctx, p.command(stderr), args, stdout, stderr)
}

// Run runs a command until it is done or ctx is over, says what went wrong, and
// returns the exit code: that of an [ExitError], else [ExitFailure], or [ExitUsage]
// for a command line that was not understood.
func Run(ctx context.Context, root *cobra.Command, args []string, stdout, stderr io.Writer) int {
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	// Until the command line was understood, what is wrong is the command line.
	code := exitCode(err, ExitFailure)
	if !started {
		code = exitCode(err, ExitUsage)
	}
	fmt.Fprintf(stderr, "%s: %v\n", root.Name(), err)
	if code == ExitUsage {
		fmt.Fprintf(stderr, "%s --help shows what there is.\n", root.Name())
	}
	return code
}

func (p Program) command(stderr io.Writer) *cobra.Command {
	var common common
	table := slices.Concat(p.Settings, p.common(&common))
	root := &cobra.Command{
		Use:           p.Name,
		Short:         p.Short,
		Long:          p.Long,
		Version:       Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := p.read(table, cmd.Flags())
			if err != nil {
				return err
			}
			return p.live(cmd.Context(), common, s.warnings, stderr)
		},
	}
	printing := &cobra.Command{
		Use:   "print",
		Short: "Print every setting, with where its value comes from",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Without Check: also settings that do not go together are to be looked at.
			s, err := readSettings(envPrefix(p.Name), table, cmd.Flags())
			if err != nil {
				return err
			}
			return s.print(cmd.OutOrStdout())
		},
	}
	config := &cobra.Command{Use: "config", Short: "Look at the settings"}
	config.AddCommand(printing)
	root.AddCommand(config)
	root.AddCommand(p.Commands...)
	p.define(root.Flags(), table)
	p.define(printing.Flags(), table)
	root.SetFlagErrorFunc(flagError)
	return root
}

func (p Program) common(into *common) []Setting {
	return []Setting{
		String(&into.admin, "admin", p.Admin, "address of /livez, /readyz, /metrics and /version; empty for none", Address()),
		String(&into.logLevel, "log-level", "info", "what is logged", OneOf("debug", "info", "warn", "error")),
		String(&into.logFormat, "log-format", "text", "how it is logged", OneOf("text", "json")),
		Duration(&into.drainWithin, "drain-within", 2*time.Second,
			"how long calls in hand may take after SIGTERM", Between(0, time.Minute)),
	}
}

func (p Program) define(flags *pflag.FlagSet, table []Setting) {
	flags.SortFlags = false
	for _, setting := range table {
		setting.define(flags)
	}
	flags.String(configKey, "", "settings file, in TOML; flags and "+envPrefix(p.Name)+"… come before it")
}

func (p Program) read(table []Setting, flags *pflag.FlagSet) (*settings, error) {
	s, err := readSettings(envPrefix(p.Name), table, flags)
	if err != nil {
		return nil, err
	}
	if p.Check != nil {
		if err := p.Check(); err != nil {
			return nil, &ExitError{Code: exitCode(err, ExitUsage), Err: err}
		}
	}
	return s, nil
}

// flagError adds what an unknown flag may have meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
	return fmt.Errorf("%w%s", err, didYouMean(unknown.GetSpecifiedName(), names, func(name string) string { return "--" + name }))
}
