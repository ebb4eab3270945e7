//go:build e2e

package differential

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// planted is one difference from the rules, made on purpose in one engine.
type planted struct {
	name, file string // of the file: as the repository has it
	find, put  string // what is found once in it, and what stands there instead
}

const (
	goRules   = "go-compat/legacy/rules/"
	rustRules = "src/engine/"
)

// differences are the mistakes that a port makes. Each has to be found within the
// commands that `make test` compares.
var differences = []planted{
	{"an area's radius is off by one", goRules + "use.go", "me.distance(uint32(other.x), uint32(other.y)) <= radius", "me.distance(uint32(other.x), uint32(other.y)) < radius"},
	{"a cooldown blocks at its very end", goRules + "use.go", "me.cooldownUntil > t.now", "me.cooldownUntil >= t.now"},
	{"the cooldown is forgotten", goRules + "use.go", "me.cooldownUntil = t.now + item.cooldownMs", "_ = item.cooldownMs"},
	{"effects resolve in the wrong order", goRules + "use.go", "for i := range item.effects {", "for i := len(item.effects) - 1; i >= 0; i-- {"},
	{"an effect is on at its very end", goRules + "player.go", "p.until[slot(kind)] > now", "p.until[slot(kind)] >= now"},
	{"refresh can shorten an effect", goRules + "use.go", "*until, *magnitude = max(*until, end), e.magnitude", "*until, *magnitude = end, e.magnitude"},
	{"stealing rounds up", goRules + "use.go", "bits.Div64(high, low, percent)", "bits.Div64(high, low+percent-1, percent)"},
	{"a dig leaves the cloak on", goRules + "apply.go", "	me.end(pb.EffectKind_EFFECT_KIND_CLOAK)\n", ""},
	{"a newcomer's y is drawn before x", goRules + "apply.go",
		"		x := t.random.below(uint64(t.board.width))\n		y := t.random.below(uint64(t.board.height))\n",
		"		y := t.random.below(uint64(t.board.height))\n		x := t.random.below(uint64(t.board.width))\n"},
	{"a request that came late is too old too early", goRules + "player.go", "r[0].request != 0 && request < r[0].request", "r[0].request != 0 && request < r[1].request"},

	{"a range is off by one", rustRules + "resolve.rs", "> range {", ">= range {"},
	{"a mirror outlives what it reflects", rustRules + "resolve.rs", "            self.players.change(target).clear(TimedKind::Reflect);\n", ""},
	{"a hostile use leaves the cloak on", rustRules + "resolve.rs", "            record.clear(TimedKind::Cloak);\n", ""},
	{"an area reaches in order of joining", rustRules + "resolve.rs", "        reached.sort_unstable_by_key(|seat| self.players.id(*seat));\n", ""},
	{"extend takes the new magnitude", rustRules + "player.rs", "(m.max(old_m), extended.max(old_end))", "(m, extended.max(old_end))"},
	{"a stack has no most", rustRules + "player.rs", "old_m.saturating_add(m).min(max_magnitude).max(old_m)", "old_m.saturating_add(m.min(max_magnitude)).max(old_m)"},
	{"ten of a kind are held", rustRules + "player.rs", "HELD_MAX: u8 = 9;", "HELD_MAX: u8 = 10;"},
	{"one more may ever join", rustRules + "actions.rs", "self.players.len() >= self.ever_joined_max", "self.players.len() > self.ever_joined_max"},
	{"a cache's kind is drawn one off", rustRules + "ruleset/mod.rs", "running > drawn", "running >= drawn"},
	{"a hunt goes on at its full time", rustRules + "hunt.rs", "if at_ms < self.head.full_time_ms() {", "if at_ms <= self.head.full_time_ms() {"},
}

// TestEveryPlantedDifferenceIsFound makes each difference in turn, and runs the
// comparison as `make test` does: it has to fail, with a shrunk replay file.
func TestEveryPlantedDifferenceIsFound(t *testing.T) {
	root := repository(t)
	found := make([]string, len(differences))
	t.Run("each", func(t *testing.T) {
		for _, engine := range []string{goRules, rustRules} { // one of each at a time
			t.Run(strings.ReplaceAll(engine, "/", " "), func(t *testing.T) {
				t.Parallel()
				for i, difference := range differences {
					if strings.HasPrefix(difference.file, engine) {
						t.Run(difference.name, func(t *testing.T) { found[i] = find(t, root, difference) })
					}
				}
			})
		}
	})
	count := 0
	var lines strings.Builder
	for i, difference := range differences {
		if found[i] != "" {
			count++
			fmt.Fprintf(&lines, "\n  %-46s %s", difference.name, found[i])
		}
	}
	t.Logf("planted differences found: %d/%d%s", count, len(differences), &lines)
}

// find says how a difference was found; "" and a failed test if it was not.
func find(t *testing.T, root string, difference planted) string {
	t.Helper()
	bin := t.TempDir()
	for _, engine := range engines {
		if err := os.Symlink(binary(engine), filepath.Join(bin, engine)); err != nil {
			t.Fatal(err)
		}
	}
	wrong := spoil(t, root, difference)
	if strings.HasPrefix(difference.file, goRules) {
		buildGo(t, root, difference.file, wrong, filepath.Join(bin, "legacy-engine"))
	} else {
		buildRust(t, root, difference.file, wrong, filepath.Join(bin, "player-state"))
	}
	cmd := bounded(t, 5*time.Minute, os.Args[0], "-test.run=^TestBothEnginesAnswerTheSame$", "-rapid.shrinktime=1s", "-rapid.nofailfile")
	cmd.Env = append(os.Environ(), "BIN_DIR="+bin, "TMPDIR="+bin)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Errorf("not found: the comparison passed (%v)", err)
		return ""
	}
	told := differ.FindAllStringSubmatch(string(out), -1)
	if told == nil {
		t.Errorf("the comparison failed, but not by a difference:\n%s", out)
		return ""
	}
	return fmt.Sprintf("shrunk to %s commands", told[len(told)-1][1])
}

// differ is how the comparison tells a difference.
var differ = regexp.MustCompile(`(?:legacy-engine|player-state) differs after (\d+) commands`)

// spoil is the file with the difference in it.
func spoil(t *testing.T, root string, difference planted) []byte {
	t.Helper()
	text := read(t, filepath.Join(root, difference.file))
	if n := bytes.Count(text, []byte(difference.find)); n != 1 {
		t.Fatalf("%s holds %q %d times; a planted difference names what is there once", difference.file, difference.find, n)
	}
	return bytes.Replace(text, []byte(difference.find), []byte(difference.put), 1)
}

// buildGo builds the Go engine with one file replaced.
func buildGo(t *testing.T, root, file string, wrong []byte, to string) {
	t.Helper()
	dir := t.TempDir()
	spoilt, overlay := filepath.Join(dir, "spoilt.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, file): spoilt}})
	if err != nil {
		t.Fatal(err)
	}
	put(t, spoilt, wrong)
	put(t, overlay, replace)
	cmd := bounded(t, 5*time.Minute, "go", "build", "-overlay", overlay, "-o", filepath.Join(dir, "engine"), "./legacy-engine")
	cmd.Dir = filepath.Join(root, "go-compat", "cmd")
	build(t, cmd, filepath.Join(dir, "engine"), to)
}

// buildRust builds the part of the Rust engine that replays, with one file replaced,
// out of a copy of the crate under target/: it stands on the same dependencies, so
// that cargo builds only what the difference touches. It has a name of its own there,
// so as not to be taken for the good one.
func buildRust(t *testing.T, root, file string, wrong []byte, to string) {
	t.Helper()
	copied := filepath.Join(root, "target", "planted")
	mirrorCrate(t, root, copied)
	put(t, filepath.Join(copied, file), wrong)
	cmd := bounded(t, 10*time.Minute, "cargo", "build", "--locked", "--features", "failpoints", "--quiet")
	cmd.Dir = copied
	cmd.Env = append(os.Environ(), "CARGO_TARGET_DIR="+filepath.Join(root, "target"))
	build(t, cmd, filepath.Join(root, "target", "debug", "planted"), to)
}

// cratePart is what the copy has of the crate, beside its manifest.
var cratePart = []string{
	"rust-toolchain.toml", "proto", "go-compat/rulesets",
	"src/engine", "src/exit.rs", "src/journal", "src/replay", "src/wire",
}

// mirrorCrate makes copied what the crate is, and touches nothing that is so already.
func mirrorCrate(t *testing.T, root, copied string) {
	t.Helper()
	for _, part := range cratePart {
		err := filepath.WalkDir(filepath.Join(root, part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			inside, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			put(t, filepath.Join(copied, inside), read(t, path))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"main.rs", "build.rs"} {
		put(t, filepath.Join(copied, file), read(t, filepath.Join("testdata", "planted", file)))
	}
	edit(t, root, copied, "Cargo.lock", [2]string{"name = \"player-state\"\n", "name = \"planted\"\n"})
	edit(t, root, copied, "Cargo.toml",
		// Two packages of one name would share one place under target/.
		[2]string{"[package]\nname = \"player-state\"\n", "[package]\nname = \"planted\"\n"},
		[2]string{"[lib]\nname = \"player_state\"\n", ""},
		[2]string{"[[bin]]\nname = \"player-state\"\npath = \"src/main.rs\"\n", "[[bin]]\nname = \"planted\"\npath = \"main.rs\"\n"},
		[2]string{"[[bench]]\nname = \"engine\"\nharness = false\n", ""},
		[2]string{"[[bench]]\nname = \"instructions\"\nharness = false\n", ""},
		[2]string{"path = \"vendor/", "path = \"" + root + "/vendor/"})
}

// edit copies a file with a few places changed, each of which is there once.
func edit(t *testing.T, root, copied, file string, changes ...[2]string) {
	t.Helper()
	text := string(read(t, filepath.Join(root, file)))
	for _, change := range changes {
		if strings.Count(text, change[0]) != 1 {
			t.Fatalf("%s does not hold %q once", file, change[0])
		}
		text = strings.Replace(text, change[0], change[1], 1)
	}
	put(t, filepath.Join(copied, file), []byte(text))
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// put writes a file, unless it is so already: cargo goes by the time of the last write.
func put(t *testing.T, file string, text []byte) {
	t.Helper()
	if is, err := os.ReadFile(file); err == nil && bytes.Equal(is, text) {
		return
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func build(t *testing.T, cmd *exec.Cmd, built, to string) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	if err := os.Remove(to); err != nil { // a link to the good one
		t.Fatal(err)
	}
	if err := os.WriteFile(to, read(t, built), 0o755); err != nil {
		t.Fatal(err)
	}
}

func bounded(t *testing.T, limit time.Duration, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, name, args...)
}

// repository is the root of the checkout: this package is three folders below it.
func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}
