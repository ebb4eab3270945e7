package skipped

import (
	"os"
	"path/filepath"
	"testing"
)

func TestASkipIsKeptInTheFileThatIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "skipped")
	t.Setenv(file, path)
	for range 2 {
		t.Run("without", func(t *testing.T) { Test(t, "no moon; wait for the night") })
	}
	kept, err := os.ReadFile(path)
	want := "TestASkipIsKeptInTheFileThatIsNamed/without: no moon; wait for the night\n" +
		"TestASkipIsKeptInTheFileThatIsNamed/without#01: no moon; wait for the night\n"
	if err != nil || string(kept) != want {
		t.Errorf("%q, %v", kept, err)
	}
}
