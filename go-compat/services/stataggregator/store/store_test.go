package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/stataggregator/internal/testfeed"
	"treasurehunt.example/go-compat/services/stataggregator/internal/testpostgres"
	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		testpostgres.Close()
		os.Exit(code)
	}))
}

// onBoth runs a test on both kinds of store. place gives the DSN of an empty one.
func onBoth[T interface {
	testing.TB
	Run(string, func(T)) bool
}](t T, test func(t T, place func() string)) {
	t.Run("sqlite", func(t T) {
		dir, stores := t.TempDir(), 0
		test(t, func() string {
			stores++
			return filepath.Join(dir, fmt.Sprintf("stats%d.db", stores))
		})
	})
	t.Run("postgres", func(t T) {
		server := testpostgres.Shared(t)
		test(t, func() string { return server.Schema(t, nil) })
	})
}

func open(t testing.TB, dsn string) *database {
	t.Helper()
	s, err := Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*database)
}

func answer(cursor string, records ...*pb.Record) *pb.ReadRecordsResponse {
	return &pb.ReadRecordsResponse{Cursor: []byte(cursor), Records: records}
}

func leave(hunt string, sequence, player uint64) *pb.Record {
	return &pb.Record{HuntId: hunt, Epoch: 1, Sequence: sequence, Change: &pb.Record_Applied{Applied: &pb.Applied{
		Command: &pb.Command{HuntId: hunt, PlayerId: player, RequestId: sequence, Action: &pb.Command_Leave{Leave: &pb.Leave{}}},
		Outcome: &pb.Outcome{Verdict: pb.Verdict_VERDICT_APPLIED},
	}}}
}

// What is read back after each page is what was there after the page before: the
// store is a book like any other, and loses nothing between transactions.
func TestWhatIsCountedInManyTransactionsIsWhatTheEngineEndedWith(t *testing.T) {
	onBoth(t, func(t *testing.T, place func() string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		hunts := []testfeed.Hunt{testfeed.Play(t, random.Uint64(), 1500), testfeed.Play(t, random.Uint64(), 1500)}
		records := testfeed.Merge(random, hunts...)
		dsn := place()
		for len(records) > 0 {
			s := open(t, dsn) // opened anew, so that nothing can be remembered
			for range 10 {
				n := min(len(records), 1+random.IntN(40))
				page, err := s.Count(t.Context(), "go", answer(fmt.Sprint(len(records)), records[:n]...))
				if err != nil || page.Records != uint64(n) || len(page.Alarms) > 0 {
					t.Fatalf("%+v, %v", page, err)
				}
				records = records[n:]
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, dsn)
		for _, hunt := range hunts {
			got, err := s.Hunt(t.Context(), hunt.ID)
			if err != nil || !got.Whole() || got.High != hunt.Final.GetSequence() || got.Disagrees || got.Final == nil {
				t.Errorf("%+v, %v", got, err)
			}
			seats, err := s.Seats(t.Context(), hunt.ID, 0, 1000)
			if err != nil || len(seats) != len(hunt.Final.GetPlayers()) {
				t.Fatalf("%d players, %v", len(seats), err)
			}
			for i, player := range hunt.Final.GetPlayers() {
				if seats[i].Player != player.GetPlayerId() || seats[i].Score != int64(player.GetScore()) {
					t.Errorf("%+v, want %v", seats[i], player)
				}
			}
		}
	})
}

func TestACursorAndWhatItStandsForAreKeptTogetherOrNotAtAll(t *testing.T) {
	onBoth(t, func(t *testing.T, place func() string) {
		s := open(t, place())
		if cursor, err := s.Cursor(t.Context(), "go"); cursor != nil || err != nil {
			t.Fatalf("a new feed begins at %q, %v", cursor, err)
		}
		if _, err := s.Count(t.Context(), "go", answer("1", leave("h", 1, 7))); err != nil {
			t.Fatal(err)
		}
		// A hunt whose row does not read fails in the middle of the page.
		if _, err := s.writer.ExecContext(t.Context(), "INSERT INTO hunts SELECT 'bad', high, 'no JSON', waiting, given_up, records, duplicates, holes, played, epoch, epoch_first, forks, applied, players, dug, scores, ruleset, starts_at_ms, ended_at_ms, final, disagrees FROM hunts"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Count(t.Context(), "go", answer("2", leave("h", 2, 7), leave("bad", 2, 7))); err == nil {
			t.Fatal("a page that cannot be counted was")
		}
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Count(cancelled, "go", answer("3", leave("h", 2, 7))); err == nil {
			t.Fatal("a page was counted for a caller who left")
		}
		hunt, err := s.Hunt(t.Context(), "h")
		cursor, _ := s.Cursor(t.Context(), "go")
		if err != nil || hunt.High != 1 || string(cursor) != "1" {
			t.Errorf("%+v at cursor %q, %v: a part of a page was kept", hunt, cursor, err)
		}
		if page, err := s.Count(t.Context(), "go", answer("2", leave("h", 2, 7))); err != nil || page.Records != 1 {
			t.Errorf("%+v, %v: the failure stayed", page, err)
		}
	})
}

func TestAllOfTheirSixtyFourBitsAreKept(t *testing.T) {
	onBoth(t, func(t *testing.T, place func() string) {
		s := open(t, place())
		ids := []uint64{1, 1<<63 - 1, 1 << 63, 1<<64 - 1}
		var records []*pb.Record
		for round := range uint64(50) { // so that sums of marks wrap
			for i, id := range ids {
				records = append(records, leave("h", round*4+uint64(i)+1, id))
			}
		}
		if _, err := s.Count(t.Context(), "go", answer("1", records[:100]...)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Count(t.Context(), "go", answer("2", records[100:]...)); err != nil {
			t.Fatal(err)
		}
		once := open(t, place())
		if _, err := once.Count(t.Context(), "go", answer("1", records...)); err != nil {
			t.Fatal(err)
		}
		var seen []uint64
		for after := uint64(0); ; {
			seats, err := s.Seats(t.Context(), "h", after, 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(seats) == 0 {
				break
			}
			after = seats[0].Player
			seen = append(seen, after)
			whole, err := once.Seats(t.Context(), "h", after-1, 1)
			if err != nil || seats[0] != whole[0] || seats[0].Marks == 0 {
				t.Errorf("%+v in two pages, %+v in one, %v", seats[0], whole, err)
			}
			if player, err := s.Player(t.Context(), after); err != nil || player.ID != after || player.Applied != 50 {
				t.Errorf("player %d: %+v, %v", after, player, err)
			}
		}
		if !slices.Equal(seen, ids) {
			t.Errorf("players in the order %v, want %v", seen, ids)
		}
	})
}

func TestTheNewestAlarmsAreKept(t *testing.T) {
	onBoth(t, func(t *testing.T, place func() string) {
		s := open(t, place())
		for page := range uint64(3) {
			var records []*pb.Record
			for n := range uint64(800) {
				records = append(records, leave(fmt.Sprintf("h-%d-%d", page, n), 2, 7)) // each begins with a hole
			}
			if _, err := s.Count(t.Context(), "go", answer("c", records...)); err != nil {
				t.Fatal(err)
			}
		}
		alarms, err := s.Alarms(t.Context(), 5000)
		if err != nil || len(alarms) != AlarmsMax || alarms[0].Hunt != "h-2-799" || alarms[0].Kind != tally.Hole || alarms[0].AtMs == 0 {
			t.Fatalf("%d alarms, the newest %+v, %v", len(alarms), alarms[0], err)
		}
		if missing, err := s.Missing(t.Context()); err != nil || missing != 2400 {
			t.Errorf("%d missing, %v", missing, err)
		}
	})
}

func TestTwoProcessesOnOneStoreCountOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, place func() string) {
		dsn := place()
		one, other := open(t, dsn), open(t, dsn)
		for _, s := range []*database{one, other} {
			if _, err := s.Count(t.Context(), "go", answer("1", leave("h", 1, 7), leave("h", 2, 7))); err != nil {
				t.Fatal(err)
			}
		}
		if hunt, err := one.Hunt(t.Context(), "h"); err != nil || hunt.Applied != 2 || hunt.Duplicates != 2 {
			t.Errorf("%+v, %v", hunt, err)
		}
	})
}

// Two feeds with the same records, each read by a process of its own.
func TestTwoWritersAtOnceCountEachRecordOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, place func() string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 0))
		hunts := []testfeed.Hunt{testfeed.Play(t, random.Uint64(), 600), testfeed.Play(t, random.Uint64(), 600)}
		dsn := place()
		var group errgroup.Group
		total := 0
		for _, feed := range []string{"router", "sidecar"} {
			s, records := open(t, dsn), testfeed.Merge(random, hunts...)
			total = len(records)
			group.Go(func() error {
				for page := range slices.Chunk(records, 20) {
					if _, err := s.Count(t.Context(), feed, answer("c", page...)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		s, counted, duplicates := open(t, dsn), uint64(0), uint64(0)
		for _, hunt := range hunts {
			got, err := s.Hunt(t.Context(), hunt.ID)
			if err != nil || !got.Whole() || got.Records != uint64(len(hunt.Records)) || got.Disagrees || got.Final == nil {
				t.Errorf("%+v, %v, want %d records", got, err, len(hunt.Records))
			}
		}
		for _, name := range []string{"router", "sidecar"} {
			feed, err := s.Feed(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			counted, duplicates = counted+feed.Records, duplicates+feed.Duplicates
		}
		if counted != uint64(total) || duplicates != uint64(total) {
			t.Errorf("%d counted and %d again, of %d records that came twice", counted, duplicates, total)
		}
	})
}

func TestNamesOfAnyCharactersAreKeptOrAreAnAlarm(t *testing.T) {
	onBoth(t, func(t *testing.T, place func() string) {
		s := open(t, place())
		names := []string{`"; DROP TABLE hunts; --`, `\u0041'\`, "<&>", "ключ\u2028🗝"}
		for i, name := range append(names, "zero\x00byte") {
			hunt := fmt.Sprint("h", i)
			pickUp := leave(hunt, 2, 7)
			pickUp.GetApplied().Command.Action = &pb.Command_PickUp{PickUp: &pb.PickUp{}}
			pickUp.GetApplied().Outcome.PickedUp = name
			page, err := s.Count(t.Context(), "go", answer(hunt,
				&pb.Record{HuntId: hunt, Epoch: 1, Sequence: 1, Change: &pb.Record_Created{Created: &pb.HuntCreated{Settings: &pb.HuntSettings{Ruleset: name}}}},
				pickUp))
			if err != nil || page.Records != 2 {
				t.Fatalf("%q: %+v, %v", name, page, err)
			}
			got, err := s.Hunt(t.Context(), hunt)
			if spoilt := len(page.Alarms) > 0; err != nil || spoilt != (i == len(names)) || !spoilt && got.Ruleset != name {
				t.Errorf("%q: alarms %v, %+v, %v", name, page.Alarms, got, err)
			}
		}
		player, err := s.Player(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		var kept []string
		for _, powerUp := range player.PowerUps {
			kept = append(kept, powerUp.Name)
		}
		if slices.Sort(names); !slices.Equal(kept, names) {
			t.Errorf("%q, want %q", kept, names)
		}
	})
}

func TestListsAreInTheOrderOfBytes(t *testing.T) {
	onBoth(t, func(t *testing.T, place func() string) {
		s := open(t, place())
		want := []string{"-", ".", "10", "9", "B", "_", "a", "a-b", "aB", "ab"} // people have it otherwise
		var records []*pb.Record
		for _, id := range want {
			records = append(records, leave(id, 1, 7))
		}
		if _, err := s.Count(t.Context(), "go", answer("1", records...)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for after := ""; ; after = got[len(got)-1] {
			hunts, err := s.Hunts(t.Context(), after, 3)
			if err != nil {
				t.Fatal(err)
			}
			if len(hunts) == 0 {
				break
			}
			for _, hunt := range hunts {
				got = append(got, hunt.ID)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestAStoreThatIsNotOursIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	database := func(name, statements string) string {
		path := filepath.Join(dir, name)
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.ExecContext(t.Context(), statements); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open(t, filepath.Join(dir, "newer.db")).Close()
	newer := database("newer.db", "PRAGMA user_version = 9")
	for dsn, says := range map[string]string{
		"":                                  "no path",
		"sqlite:":                           "no path",
		"mysql:x":                           "mysql:…",
		filepath.Join(dir, "no", "such.db"): "such.db",
		file("text.db", strings.Repeat("no database ", 100)):    "not a database",
		database("other.db", "CREATE TABLE theirs (x INTEGER)"): "another program's",
		newer: "version 9 and this build knows 2",
	} {
		_, err := Open(t.Context(), dsn)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want a refusal that says %q", dsn, err, says)
		}
	}
}

func TestAFileThatSQLiteDoesNotOpenIsExplained(t *testing.T) {
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.db")
	if err := os.WriteFile(junk, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		says    string
		damaged bool
	}{
		junk:                                  {"restore the file", true},
		filepath.Join(dir, "nowhere", "s.db"): {"its directory does not exist: make it", false},
		dir:                                   {dir, false},
	} {
		_, err := Open(t.Context(), path)
		if err == nil || !strings.Contains(err.Error(), want.says) || errors.Is(err, ErrDamaged) != want.damaged {
			t.Errorf("%s: %v, want %q", path, err, want.says)
		}
	}
}

func TestAPathMayHoldAnyCharacter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c#d%20:é.db")
	open(t, "sqlite:"+path)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	onBoth(t, func(t *testing.T, place func() string) {
		s := open(t, place())
		_, hunt := s.Hunt(t.Context(), "h")
		_, player := s.Player(t.Context(), 7)
		_, board := s.Leaders(t.Context(), "money", 10)
		_, feed := s.Feed(t.Context(), "go")
		for _, err := range []error{hunt, player, board, feed} {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("%v, want ErrNotFound", err)
			}
		}
	})
}
