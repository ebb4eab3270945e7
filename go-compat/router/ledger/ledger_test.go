package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func settings() *pb.HuntSettings {
	return &pb.HuntSettings{Seed: 1<<63 + 1, Width: 8, Height: 8, MaxPlayers: 2, DurationMs: 1000, Ruleset: "classic"}
}

func open(t *testing.T, config Config) *Ledger {
	t.Helper()
	l, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func at(t *testing.T) string { return filepath.Join(t.TempDir(), "ledger.db") }

func must(t *testing.T, _ *Entry, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheFirstCreatorWinsAndTheOthersGetItsEntry(t *testing.T) {
	l := open(t, Config{Path: at(t)})
	const creators = 100
	entries, wins := make([]*Entry, creators), make([]bool, creators)
	var all sync.WaitGroup
	for i := range creators {
		all.Go(func() {
			owner := Go
			if i%2 == 0 {
				owner = Sidecar
			}
			var err error
			if entries[i], wins[i], err = l.Create(t.Context(), "h", owner, settings()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	winners := 0
	for i, e := range entries {
		if wins[i] {
			winners++
		}
		if e != entries[0] {
			t.Fatalf("%+v and %+v", e, entries[0])
		}
	}
	if winners != 1 {
		t.Errorf("%d creators won", winners)
	}
}

func TestWhatIsKeptIsThereAfterARestart(t *testing.T) {
	config := Config{Path: at(t)}
	l := open(t, config)
	for _, id := range []string{"creating", "owned", "closed", "lost", "gone"} {
		_, _, err := l.Create(t.Context(), id, Sidecar, settings())
		must(t, nil, err)
	}
	for _, id := range []string{"owned", "closed", "lost"} {
		e, err := l.Own(t.Context(), id, 1234)
		must(t, e, err)
	}
	e, err := l.Finish(t.Context(), "closed")
	must(t, e, err)
	e, err = l.Lose(t.Context(), "lost", "because")
	must(t, e, err)
	must(t, nil, l.Abandon(t.Context(), "gone"))
	first := l.Meta()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	again := open(t, config)
	for id, state := range map[string]State{"creating": Creating, "owned": Owned, "closed": Closed, "lost": Lost} {
		before, _ := l.Lookup(id)
		after, ok := again.Lookup(id)
		if !ok || after.State != state || after.Owner != Sidecar || after.Epoch != FirstEpoch ||
			after.StartsAtMs != before.StartsAtMs || after.ChangedAtMs != before.ChangedAtMs ||
			after.Why != before.Why || !proto.Equal(after.Settings, settings()) {
			t.Errorf("%s: %+v, before %+v", id, after, before)
		}
		if got := again.Count(state, Sidecar); got != 1 {
			t.Errorf("%d are counted %s", got, state)
		}
	}
	if _, ok := again.Lookup("gone"); ok {
		t.Error("an abandoned hunt is there again")
	}
	meta := again.Meta()
	if meta.LedgerID != first.LedgerID || meta.LedgerID == "" || meta.Incarnation != first.Incarnation+1 || meta.NextEpoch != 2 {
		t.Errorf("meta %+v, before %+v", meta, first)
	}
}

func TestAChangeStartsFromItsStateOnly(t *testing.T) {
	l := open(t, Config{Path: at(t)})
	changes := map[string]func(id string) error{
		"reassign": func(id string) error { _, err := l.Reassign(t.Context(), id, Go); return err },
		"claim": func(id string) error {
			seen, ok := l.Lookup(id)
			if !ok {
				seen = &Entry{HuntID: id}
			}
			_, err := l.Claim(t.Context(), seen)
			return err
		},
		"own":     func(id string) error { _, err := l.Own(t.Context(), id, 1); return err },
		"finish":  func(id string) error { _, err := l.Finish(t.Context(), id); return err },
		"lose":    func(id string) error { _, err := l.Lose(t.Context(), id, "because"); return err },
		"abandon": func(id string) error { return l.Abandon(t.Context(), id) },
	}
	allowed := map[State]string{Creating: " reassign own abandon", Owned: " claim finish lose", Closed: " claim finish", Lost: "", "absent": ""}
	for state, names := range allowed {
		for name, change := range changes {
			id := fmt.Sprint(state, "-", name)
			bring(t, l, id, state)
			var refused *StateError
			err := change(id)
			if wanted := strings.Contains(names, " "+name); wanted != (err == nil) || err != nil && !errors.As(err, &refused) {
				t.Errorf("%s of one that is %s: %v", name, state, err)
			}
		}
	}
}

// bring makes a hunt in a state.
func bring(t *testing.T, l *Ledger, id string, state State) {
	t.Helper()
	if state == "absent" {
		return
	}
	_, _, err := l.Create(t.Context(), id, Sidecar, settings())
	must(t, nil, err)
	if state == Creating {
		return
	}
	e, err := l.Own(t.Context(), id, 1)
	must(t, e, err)
	switch state {
	case Closed:
		e, err = l.Finish(t.Context(), id)
	case Lost:
		e, err = l.Lose(t.Context(), id, "because")
	}
	must(t, e, err)
}

func TestAClaimTakesAnEpochThatNobodyHadAndLeavesSinceAlsoOverARestart(t *testing.T) {
	config := Config{Path: at(t)}
	l := open(t, config)
	had := map[uint64]bool{FirstEpoch: true}
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 100 {
		id := huntAt(t, l, i)
		all.Go(func() {
			seen, _ := l.Lookup(id)
			e, err := l.Claim(t.Context(), seen)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if had[e.Epoch] || e.Since != FirstEpoch || e.State != seen.State || e.Owner != seen.Owner {
				t.Errorf("%+v, after %+v", e, seen)
			}
			had[e.Epoch] = true
		})
	}
	all.Wait()
	before, _ := l.Lookup("0")
	must(t, nil, l.Close())

	again := open(t, config)
	after, _ := again.Lookup("0")
	if after.Epoch != before.Epoch || after.Since != FirstEpoch {
		t.Errorf("%+v, before %+v", after, before)
	}
	e, err := again.Claim(t.Context(), after)
	if err != nil || had[e.Epoch] {
		t.Errorf("after a restart: %+v, %v", e, err)
	}
}

// huntAt makes one that is owned, or in turn one that has ended.
func huntAt(t *testing.T, l *Ledger, i int) (id string) {
	t.Helper()
	id = fmt.Sprint(i)
	bring(t, l, id, []State{Owned, Closed}[i%2])
	return id
}

func TestAClaimOfAnEntryThatChangedSinceIsRefused(t *testing.T) {
	l := open(t, Config{Path: at(t)})
	bring(t, l, "h", Owned)
	seen, _ := l.Lookup("h")
	claimed, err := l.Claim(t.Context(), seen)
	must(t, claimed, err)
	var refused *StateError
	if _, err := l.Claim(t.Context(), seen); !errors.As(err, &refused) {
		t.Errorf("a second claim of the same entry: %v", err)
	}
	if e, _ := l.Lookup("h"); e.Epoch != claimed.Epoch {
		t.Errorf("it is at epoch %d; want %d", e.Epoch, claimed.Epoch)
	}
}

func TestALedgerOfVersionOneIsReadAndGoesOn(t *testing.T) {
	config := Config{Path: at(t)}
	l := open(t, config)
	bring(t, l, "h", Owned)
	must(t, nil, l.Close())
	edit(t, config.Path, func(tx *bolt.Tx) error {
		old := `{"v":1,"state":"owned","owner":"sidecar","epoch":1,"starts_at_ms":1,"changed_at_ms":1,"settings":{"width":8}}`
		return tx.Bucket(huntsBucket).Put([]byte("h"), []byte(old))
	})
	again := open(t, config)
	e, ok := again.Lookup("h")
	if !ok || e.Since != FirstEpoch {
		t.Fatalf("%+v", e)
	}
	claimed, err := again.Claim(t.Context(), e)
	if err != nil || claimed.Since != FirstEpoch || claimed.Epoch <= FirstEpoch {
		t.Errorf("%+v, %v", claimed, err)
	}
}

func TestAFullLedgerTakesNoMoreAndMakesRoomByForgetting(t *testing.T) {
	const most = 50
	l := open(t, Config{Path: at(t), HuntsMax: most})
	var all sync.WaitGroup
	var mu sync.Mutex
	refused := 0
	for i := range 2 * most { // also those of one commit count each other
		all.Go(func() {
			_, _, err := l.Create(t.Context(), fmt.Sprint(i), Go, settings())
			if full := new(FullError); errors.As(err, &full) && full.HuntsMax == most {
				mu.Lock()
				refused++
				mu.Unlock()
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if refused != most {
		t.Errorf("%d were refused; want %d", refused, most)
	}
	for e := range l.Live() {
		must(t, nil, l.Abandon(t.Context(), e.HuntID))
		break
	}
	_, _, err := l.Create(t.Context(), "one more", Go, settings())
	must(t, nil, err)
}

func TestOnlyWhatIsLongOverIsForgotten(t *testing.T) {
	l := open(t, Config{Path: at(t)})
	bring(t, l, "live", Owned)
	bring(t, l, "over", Closed)
	over, _ := l.Lookup("over")
	for _, id := range []string{"live", "over"} {
		must(t, nil, l.Prune(t.Context(), id, over.ChangedAtMs))
		if _, ok := l.Lookup(id); !ok {
			t.Errorf("%s was forgotten too early", id)
		}
		must(t, nil, l.Prune(t.Context(), id, over.ChangedAtMs+1))
	}
	if _, ok := l.Lookup("live"); !ok {
		t.Error("a live hunt was forgotten")
	}
	if _, ok := l.Lookup("over"); ok {
		t.Error("it is never forgotten")
	}
}

func TestSettingsThatCannotBeWrittenFailAloneAndAreNotTheCallersToChange(t *testing.T) {
	l := open(t, Config{Path: at(t)})
	bad := settings()
	bad.Ruleset = "\xff"
	if _, _, err := l.Create(t.Context(), "bad", Go, bad); err == nil {
		t.Error("a ruleset that is no UTF-8 was kept")
	}
	given := settings()
	_, _, err := l.Create(t.Context(), "h", Go, given)
	must(t, nil, err)
	given.Width = 99
	if e, _ := l.Lookup("h"); e.Settings.GetWidth() != 8 || l.Err() != nil {
		t.Errorf("width %d, %v", e.Settings.GetWidth(), l.Err())
	}
}

func TestAWriteThatFailsEndsTheLedger(t *testing.T) {
	var file *os.File
	config := Config{Path: at(t), openFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
		var err error
		file, err = os.OpenFile(name, flag, perm)
		return file, err
	}}
	l := open(t, config)
	bring(t, l, "before", Owned)
	file.Close() // the disk is gone
	_, _, err := l.Create(t.Context(), "after", Go, settings())
	if err == nil {
		t.Fatal("it was kept nowhere, and answered")
	}
	if _, ok := l.Lookup("after"); ok {
		t.Error("what was not kept is in memory")
	}
	select {
	case <-l.Failed():
	default:
		t.Error("Failed is not closed")
	}
	if _, again := l.Finish(t.Context(), "before"); again == nil || l.Err() == nil {
		t.Error("it goes on")
	}
}

func TestALedgerThatIsHeldOrDamagedIsRefusedByName(t *testing.T) {
	path := at(t)
	l := open(t, Config{Path: path})
	bring(t, l, "h", Owned)
	if _, err := Open(Config{Path: path}); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("held: %v", err)
	}
	l.Close()

	for name, value := range map[string]string{
		"torn":        `{"v":1,"sta`,
		"newer":       `{"v":3,"state":"owned","owner":"go"}`,
		"state":       `{"v":1,"state":"moving","owner":"go","epoch":1,"settings":{}}`,
		"owner":       `{"v":1,"state":"owned","owner":"redis","settings":{}}`,
		"field":       `{"v":1,"state":"owned","owner":"go","settings":{},"sealed":1}`,
		"no settings": `{"v":1,"state":"owned","owner":"go"}`,
	} {
		edit(t, path, func(tx *bolt.Tx) error { return tx.Bucket(huntsBucket).Put([]byte("h"), []byte(value)) })
		var damaged *DamagedError
		if _, err := Open(Config{Path: path}); !errors.As(err, &damaged) || !strings.Contains(err.Error(), `"h"`) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	edit(t, path, func(tx *bolt.Tx) error { return putNumber(tx.Bucket(metaBucket), formatKey, 2) })
	if _, err := Open(Config{Path: path}); err == nil || !strings.Contains(err.Error(), "format 2") {
		t.Errorf("newer format: %v", err)
	}
}

func edit(t *testing.T, path string, change func(*bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(change); err != nil {
		t.Fatal(err)
	}
}

func TestACloseKeepsWhatIsQueuedAndAnswersWhoComesLate(t *testing.T) {
	config := Config{Path: at(t)}
	l := open(t, config)
	kept := make([]bool, 200)
	var all sync.WaitGroup
	for i := range kept {
		all.Go(func() {
			_, _, err := l.Create(context.Background(), fmt.Sprint(i), Go, settings())
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
			kept[i] = err == nil
		})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	again := open(t, config)
	for i, answered := range kept {
		if _, ok := again.Lookup(fmt.Sprint(i)); answered && !ok {
			t.Errorf("%d was answered, and is not there", i)
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	l, err := Open(Config{Path: filepath.Join(b.TempDir(), "ledger.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	b.SetParallelism(64)
	var mu sync.Mutex
	next := 0
	b.RunParallel(func(run *testing.PB) {
		for run.Next() {
			mu.Lock()
			next++
			id := fmt.Sprint(next)
			mu.Unlock()
			if _, _, err := l.Create(context.Background(), id, Go, settings()); err != nil {
				b.Error(err)
			}
		}
	})
}
