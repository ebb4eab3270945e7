package filewatch

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"treasurehunt.example/go-compat/internal/logbook"
)

func TestADirectoryThatCannotBeWatchedIsToldOnceAndLookedAtAllTheSame(t *testing.T) {
	noDirectory := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(noDirectory, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if said := lookThreeTimes(t, filepath.Join(noDirectory, "in")); strings.Count(said, "cannot be watched") != 1 {
		t.Errorf("the log says %q; want once that it cannot be watched", said)
	}
}

func TestADirectoryThatIsMissingIsItsReadersToTell(t *testing.T) {
	if said := lookThreeTimes(t, filepath.Join(t.TempDir(), "later")); said != "" {
		t.Errorf("the log says %q", said)
	}
}

// lookThreeTimes follows a directory for as long as that takes, and gives the log.
func lookThreeTimes(t *testing.T, dir string) string {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	said, log := logbook.New()
	looks := 0
	Directory(ctx, log, dir, func() {
		if looks++; looks == 3 {
			cancel()
		}
	})
	return said.String()
}
