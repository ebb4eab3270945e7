package legacy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/internal/logbook"
)

// following is an engine that follows a directory of rulesets, in real time.
type following struct {
	*testing.T
	dir    string
	engine *Engine
	reload func() // as SIGHUP does
	log    *logbook.Book
	hunts  int
}

// rulesetText is a ruleset of one power-up.
func rulesetText(powerUp string) string {
	return "[[power_up]]\nname = \"" + powerUp + "\"\nweight = 1\ntarget = \"self\"\neffects = [{ kind = \"cleanse\" }]\n"
}

func follow(t *testing.T) *following {
	t.Helper()
	f := &following{T: t, dir: t.TempDir()}
	f.replace("mine", rulesetText("first"))
	rulesets, err := LoadRulesets(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	config := auto()
	config.Rulesets = rulesets
	f.log, config.Logger = logbook.New()
	f.engine = New(config)
	t.Cleanup(func() {
		if err := f.engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	f.reload = f.engine.FollowRulesets(f.dir)
	return f
}

// replace puts a ruleset into place whole.
func (f *following) replace(name, text string) {
	f.Helper()
	f.write(name+".new", text)
	if err := os.Rename(filepath.Join(f.dir, name+".new"), filepath.Join(f.dir, name+".toml")); err != nil {
		f.Fatal(err)
	}
}

func (f *following) write(file, text string) {
	f.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, file), []byte(text), 0o644); err != nil {
		f.Fatal(err)
	}
}

// begin creates a hunt, and says which text and hash record 1 has. A ruleset that is
// not there has no text.
func (f *following) begin(ruleset string) (huntID, text, hash string) {
	f.Helper()
	f.hunts++
	huntID = fmt.Sprintf("hunt-%d", f.hunts)
	settings := testSettings()
	settings.Ruleset = ruleset
	_, err := f.engine.CreateHunt(f.Context(), &pb.CreateHuntRequest{HuntId: huntID, Settings: settings})
	switch status.Code(err) {
	case codes.OK:
	case codes.InvalidArgument:
		return huntID, "", ""
	default:
		f.Fatal(err)
	}
	text, hash = f.created(huntID)
	return huntID, text, hash
}

func (f *following) created(huntID string) (text, hash string) {
	f.Helper()
	answer, err := f.engine.GetRecord(f.Context(), &pb.GetRecordRequest{HuntId: huntID, Sequence: 1})
	if err != nil {
		f.Fatal(err)
	}
	created := answer.GetRecord().GetCreated()
	return string(created.GetRuleset()), created.GetRulesetHash()
}

func (f *following) await(what string, done func() bool) {
	f.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.Fatalf("not within 20 s: %s\n%s", what, f.log)
		}
	}
}

// awaitText waits until new hunts play by a text.
func (f *following) awaitText(ruleset, text string) {
	f.Helper()
	f.await(text, func() bool { _, got, _ := f.begin(ruleset); return got == text })
}

func (f *following) failed() bool { return testutil.ToFloat64(f.engine.reloads.failed) == 1 }
func (f *following) awaitFailed() { f.Helper(); f.await("a failed reload", f.failed) }
func (f *following) result(result string) float64 {
	return testutil.ToFloat64(f.engine.reloads.results.WithLabelValues(result))
}

func TestAGoodChangeIsForNewHuntsAndRunningOnesKeepTheirs(t *testing.T) {
	f := follow(t)
	running, _, hash := f.begin("mine")
	f.replace("mine", rulesetText("second"))
	f.awaitText("mine", rulesetText("second"))
	if _, kept := f.created(running); kept != hash {
		t.Errorf("a running hunt has ruleset %s, and began with %s", kept, hash)
	}
	if _, err := f.engine.Apply(t.Context(), join(running, 1, 1)); err != nil {
		t.Errorf("it plays on: %v", err)
	}
	f.replace("yours", rulesetText("third"))
	f.awaitText("yours", rulesetText("third"))
	if err := os.Remove(filepath.Join(f.dir, "yours.toml")); err != nil {
		t.Fatal(err)
	}
	f.await("yours is gone", func() bool { _, text, _ := f.begin("yours"); return text == "" })
	for _, said := range []string{"changed=mine", "added=yours", "removed=yours"} {
		f.await(said, func() bool { return f.log.Says(said) }) // a moment after it is so
	}
	if f.failed() {
		t.Error("nothing failed")
	}
}

func TestABadRulesetChangesNothingAndSaysSoOnce(t *testing.T) {
	f := follow(t)
	for name, text := range map[string]string{
		"torn":        rulesetText("second")[:40],
		"empty":       "",
		"unknown key": rulesetText("second") + "color = 1\n",
		"over 64 KiB": rulesetText("second") + "#" + strings.Repeat("x", 1<<20),
	} {
		failures := f.result("failed")
		f.replace("mine", text)
		f.await("a failed reload", func() bool { return f.failed() && f.result("failed") > failures })
		if _, got, _ := f.begin("mine"); got != rulesetText("first") {
			t.Errorf("%s: new hunts play by %q", name, got)
		}
		if got := f.result("failed") - failures; got != 1 {
			t.Errorf("%s: %g failures", name, got)
		}
		f.replace("mine", rulesetText("first"))
		f.await("good again", func() bool { return !f.failed() })
	}
	if said := "line=6 key=power_up[0].color"; !f.log.Says(said) {
		t.Errorf("the log does not say %s:\n%s", said, f.log)
	}
	if f.result("taken") != 0 {
		t.Error("something was taken")
	}
}

func TestOneBadFileHoldsTheWholeDirectoryBack(t *testing.T) {
	f := follow(t)
	f.replace("broken", "x")
	f.awaitFailed()
	f.replace("mine", rulesetText("second"))
	f.reload()
	if _, text, _ := f.begin("mine"); text != rulesetText("first") {
		t.Errorf("half of a directory was taken: %q", text)
	}
	if err := os.Remove(filepath.Join(f.dir, "broken.toml")); err != nil {
		t.Fatal(err)
	}
	f.awaitText("mine", rulesetText("second"))
}

func TestAFileWhoseNameIsNoUTF8IsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a\xff.toml"), []byte(rulesetText("first")), 0o600); err != nil {
		t.Skip("no such names here: ", err)
	}
	if _, err := LoadRulesets(dir); err == nil || !strings.Contains(err.Error(), `a\xff.toml": its name is no UTF-8, and no hunt could name it`) {
		t.Errorf("got %v", err)
	}
}

func TestMoreFilesThanTheLimitAndPipesAreRefused(t *testing.T) {
	f := follow(t)
	if err := syscall.Mkfifo(filepath.Join(f.dir, "pipe.toml"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.awaitFailed()
	if err := os.Remove(filepath.Join(f.dir, "pipe.toml")); err != nil {
		t.Fatal(err)
	}
	f.await("good again", func() bool { return !f.failed() })
	for n := range MaxRulesets {
		f.replace(fmt.Sprintf("n%d", n), rulesetText("a"))
	}
	f.awaitFailed()
	f.await("the limit is named", func() bool { return f.log.Says("over 64, the limit") })
}

func TestASymlinkSwapIsTakenAsAWhole(t *testing.T) {
	// As Kubernetes mounts a ConfigMap: more.toml → ..data/more.toml, ..data → ..1.
	f := follow(t)
	version := func(name, powerUp string) {
		if err := os.Mkdir(filepath.Join(f.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		f.write(filepath.Join(name, "more.toml"), rulesetText(powerUp))
		if err := os.Symlink(name, filepath.Join(f.dir, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(f.dir, "..tmp"), filepath.Join(f.dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", "one")
	if err := os.Symlink("..data/more.toml", filepath.Join(f.dir, "more.toml")); err != nil {
		t.Fatal(err)
	}
	f.awaitText("more", rulesetText("one"))
	version("..2", "two")
	f.awaitText("more", rulesetText("two"))
}

func TestAHundredChangesASecondEndWithTheLastOne(t *testing.T) {
	f := follow(t)
	beat := time.NewTicker(10 * time.Millisecond)
	defer beat.Stop()
	for n := range 100 {
		<-beat.C
		text := rulesetText(fmt.Sprintf("n%d", n))
		switch n % 3 {
		case 0:
			f.replace("mine", text)
		case 1:
			f.write("mine.toml", text) // in place: half of it may be seen
		case 2:
			f.replace("mine", text[:30])
		}
		if _, text, _ := f.begin("mine"); !strings.HasSuffix(text, "}]\n") {
			t.Fatalf("half a file was taken: %q", text)
		}
	}
	f.replace("mine", rulesetText("last"))
	f.awaitText("mine", rulesetText("last"))
	f.await("good", func() bool { return !f.failed() })
}

func TestWhoAsksForAReloadIsAnswered(t *testing.T) {
	f := follow(t)
	f.reload()
	if f.result("unchanged") != 1 {
		t.Error("an unchanged directory is not told of")
	}
	f.replace("mine", "x")
	f.awaitFailed()
	failures := f.result("failed")
	f.reload()
	if f.result("failed") != failures+1 {
		t.Error("who asks is told of a problem again")
	}
	if good := testutil.ToFloat64(f.engine.reloads.lastGood); time.Since(time.Unix(int64(good), 0)) > time.Minute {
		t.Errorf("last good at %g", good)
	}
}
