package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"treasurehunt.example/go-compat/router"
	"treasurehunt.example/go-compat/services/matchmaker"
	"treasurehunt.example/go-compat/services/program"
	"treasurehunt.example/go-compat/sidecar"
)

// settings are what the command line, the environment and the file decide.
type settings struct {
	listen     []string
	legacyFeed []string
	http       string
	rules      string

	sidecar        string // the rest of these only with it
	sidecarDataDir string
	sidecarLinger  time.Duration
	flagFile       string
	ledger         string
	recoverWithin  time.Duration

	matchmaker matchmaker.Config
}

func (s *settings) table() []program.Setting {
	own := []program.Setting{
		program.Strings(&s.listen, "listen", []string{"tcp:127.0.0.1:7101"},
			"where the shard's player state is served, over gRPC; may be given again", program.Each(program.Address())),
		program.Strings(&s.legacyFeed, "legacy-feed-listen", nil,
			"where the old engine's own feed is served, over gRPC; may be given again", program.Each(program.Address())),
		program.String(&s.http, "http", "127.0.0.1:8101", "where the JSON API is served", program.Given(), program.Address()),
		program.String(&s.rules, "rules", "",
			"a directory of rulesets for the old engine, NAME.toml each, beside the built-in classic; read again when it changes, and on SIGHUP"),
		program.String(&s.sidecar, "sidecar", "", "where the sidecar is; without it the old engine runs alone", program.Address()),
		program.String(&s.sidecarDataDir, "sidecar-data-dir", "",
			"where the sidecar of this host keeps its data; the ledger has to lie elsewhere"),
		program.Duration(&s.sidecarLinger, "sidecar-linger", sidecar.DefaultLinger,
			"how long a call to the sidecar that has few commands waits for more, where more will come: a longer one costs them time, and the shard less CPU; 0 is never",
			program.Between(0, sidecar.LingerMax)),
		program.String(&s.flagFile, "flag-file", "", "the file of the flag player-state-percent, as flagd writes it; with --sidecar"),
		program.String(&s.ledger, "ledger", "", "the file that says which hunt is where; with --sidecar"),
		program.Duration(&s.recoverWithin, "recover-within", router.DefaultRecoverWithin,
			"how long the hunts of a sidecar that died may take to be served again, before the log says so aloud", program.Between(time.Second, 10*time.Minute)),
	}
	return append(own, s.matchmaker.Settings()...)
}

// check looks at the settings that depend on one another.
func (s *settings) check() error {
	if err := s.matchmaker.Check(); err != nil {
		return err
	}
	for _, needed := range []struct{ name, value string }{{"flag-file", s.flagFile}, {"ledger", s.ledger}} {
		if (needed.value != "") != (s.sidecar != "") {
			return fmt.Errorf("--sidecar and --%s go together: give both for the router, or neither for the old engine alone", needed.name)
		}
	}
	return s.checkDataDir()
}

// checkDataDir keeps the two stores apart: who wipes or restores the sidecar's
// must not take the ledger with it, which alone knows what was there.
func (s *settings) checkDataDir() error {
	if s.sidecarDataDir == "" {
		return nil
	}
	if s.sidecar == "" {
		return errors.New("--sidecar-data-dir is of use with --sidecar only")
	}
	dir, err := filepath.Abs(s.sidecarDataDir)
	if err != nil {
		return err
	}
	ledger, err := filepath.Abs(s.ledger)
	if err != nil {
		return err
	}
	if strings.HasPrefix(ledger, dir+string(filepath.Separator)) {
		return fmt.Errorf("--ledger %s lies in --sidecar-data-dir %s: keep it elsewhere, so that they are not lost together", ledger, dir)
	}
	return nil
}
