package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const unit = "deploy/systemd/player-state.service"

// unitFile is the unit with a program that this machine has: `verify` wants it there.
func unitFile(t *testing.T) string {
	t.Helper()
	text := read(t, unit)
	program, _, _ := strings.Cut(after(t, text, "ExecStart="), " ")
	file := filepath.Join(t.TempDir(), filepath.Base(unit))
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, program, "/bin/true")), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// An unknown setting is only ignored, so verify has to be silent.
func TestSystemdTakesTheUnit(t *testing.T) {
	if complaint := tool(t, "systemd-analyze", "verify", unitFile(t)); complaint != "" {
		t.Error(complaint)
	}
}

// 1.5 of 10, and 10 is a service that may do everything.
func TestTheUnitsExposureIsAtMost15(t *testing.T) {
	tool(t, "systemd-analyze", "security", "--offline=true", "--threshold=15", unitFile(t))
}

func TestSystemdTakesTheUser(t *testing.T) {
	file, err := filepath.Abs(filepath.Join(root, "deploy/systemd/player-state.sysusers.conf"))
	if err != nil {
		t.Fatal(err)
	}
	tool(t, "systemd-sysusers", "--dry-run", file)
}

// Nothing may be killed that would have ended by itself, nothing started again that
// wants a person, and nothing of the socket open to others.
func TestTheUnitAgreesWithTheProgram(t *testing.T) {
	text, settings := read(t, unit), read(t, "deploy/systemd/player-state.toml")
	drain, err := time.ParseDuration(strings.Trim(after(t, settings, "drain_max = "), `"`))
	if err != nil {
		t.Fatal(err)
	}
	stop, err := time.ParseDuration(after(t, text, "TimeoutStopSec="))
	if err != nil {
		t.Fatal(err)
	}
	if stop <= drain {
		t.Errorf("TimeoutStopSec=%s, drain_max = %s", stop, drain)
	}
	for _, want := range []string{
		"RestartPreventExitStatus=2 65 75 78\n", "RuntimeDirectory=player-state\n", "RuntimeDirectoryMode=0750\n",
		"StateDirectory=player-state\n", "User=player-state\n", "NoNewPrivileges=yes\n", " serve --config /etc/player-state/player-state.toml\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the unit has no %q", want)
		}
	}
	for _, want := range []string{`"unix:/run/player-state/`, `data_dir = "/var/lib/player-state"`} {
		if !strings.Contains(settings, want) {
			t.Errorf("the settings have no %q, which the unit makes", want)
		}
	}
}
