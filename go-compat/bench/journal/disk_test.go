package journal

import (
	"os"
	"path/filepath"
	"testing"
)

func TestANewFileOfTheJournalIsARotation(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := findRotations(dir); err == nil {
		t.Error("nothing was found, and nothing was said of it")
	}
	write("journal/records/0.jnl")
	write("journal/state/0.jnl")
	r, err := findRotations(dir)
	if err != nil {
		t.Fatal(err)
	}
	r.look()
	if got := r.most(); got != 0 {
		t.Errorf("%d rotations before any", got)
	}
	write("journal/records/1.jnl")
	r.look()
	if err := os.Remove(filepath.Join(dir, "journal/records/1.jnl")); err != nil {
		t.Fatal(err)
	}
	write("journal/records/2.jnl")
	write("journal/state/1.jnl")
	write("journal/records/3.table")
	r.look()
	r.look()
	if got := r.most(); got != 2 {
		t.Errorf("%d rotations, of two of the records and one of the state", got)
	}
}

func TestRoomThatIsNotUsedIsNotCounted(t *testing.T) {
	dir := t.TempDir()
	sparse, err := os.Create(filepath.Join(dir, "0.jnl"))
	if err != nil {
		t.Fatal(err)
	}
	defer sparse.Close()
	if err := sparse.Truncate(1 << 30); err != nil {
		t.Fatal(err)
	}
	empty, _, err := diskBytes(dir)
	if err != nil {
		t.Fatal(err)
	}
	if empty >= 1<<20 {
		t.Fatalf("%d bytes for a file that nobody wrote to", empty)
	}
	if _, err := sparse.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := sparse.Sync(); err != nil {
		t.Fatal(err)
	}
	full, wal, err := diskBytes(dir)
	if err != nil {
		t.Fatal(err)
	}
	if full-empty < 1<<20 {
		t.Errorf("a MiB that was written counts as %d bytes", full-empty)
	}
	if wal < 1<<20 || wal >= full {
		t.Errorf("%d of %d bytes are of write-ahead files, and only the directory is not", wal, full)
	}
}
