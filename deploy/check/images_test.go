package check

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var dockerfiles = []string{"deploy/Dockerfile", "deploy/Dockerfile.services"}

func TestHadolintIsContent(t *testing.T) {
	for _, file := range dockerfiles {
		tool(t, "hadolint", filepath.Join(root, file))
	}
}

// instructions are the lines of a Dockerfile, continued ones joined.
func instructions(t *testing.T, file string) (lines [][]string) {
	t.Helper()
	text := strings.ReplaceAll(read(t, file), "\\\n", " ")
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			lines = append(lines, words)
		}
	}
	return lines
}

// copies are the sources that a Dockerfile takes from the context.
func copies(t *testing.T, file string) (sources []string) {
	t.Helper()
	for _, words := range instructions(t, file) {
		if words[0] == "COPY" && !strings.HasPrefix(words[1], "--from=") {
			sources = append(sources, words[1:len(words)-1]...)
		}
	}
	if len(sources) == 0 {
		t.Fatalf("%s copies nothing", file)
	}
	return sources
}

// No image is built here, so what it is built from is looked at.
func TestWhatIsCopiedIsThereAndInTheContext(t *testing.T) {
	ignore := strings.Split(strings.TrimSpace(read(t, ".dockerignore")), "\n")
	if !slices.Contains(ignore, "*") {
		t.Fatal(".dockerignore does not begin with nothing")
	}
	allowed := func(source string) bool {
		return slices.ContainsFunc(ignore, func(line string) bool {
			name, found := strings.CutPrefix(line, "!")
			return found && (source == name || strings.HasPrefix(source, name+"/"))
		})
	}
	for _, file := range dockerfiles {
		for _, source := range copies(t, file) {
			if _, err := os.Stat(filepath.Join(root, source)); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if !allowed(source) {
				t.Errorf("%s copies %s, which .dockerignore keeps out of the context", file, source)
			}
		}
	}
}

// include_bytes! and its like reach out of src/, as classic.toml does.
var included = regexp.MustCompile(`include(?:_str|_bytes)?!\(\s*"([^"]+)"`)

func TestWhatTheCrateIncludesIsCopied(t *testing.T) {
	sources := copies(t, "deploy/Dockerfile")
	found := 0
	err := fs.WalkDir(os.DirFS(root), "src", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".rs") {
			return err
		}
		shipped, _, _ := strings.Cut(read(t, file), "#[cfg(test)]") // at the end of a file, by habit
		for _, match := range included.FindAllStringSubmatch(shipped, -1) {
			found++
			target := path.Join(path.Dir(file), match[1])
			if !slices.ContainsFunc(sources, func(s string) bool { return strings.HasPrefix(target, s+"/") }) {
				t.Errorf("%s includes %s, which deploy/Dockerfile does not copy", file, target)
			}
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Fatalf("%d includes, %v", found, err)
	}
	// build.rs reads the schema, and Cargo wants the benches and patches of the manifest.
	for _, needed := range []string{"proto", "benches", "vendor", "Cargo.lock"} {
		if !slices.Contains(sources, needed) {
			t.Errorf("deploy/Dockerfile does not copy %s", needed)
		}
	}
}

// The last stage takes the binary from where Cargo puts it, runs as a number that is
// not root's, and the compilers are those of the repository.
func TestTheImagesAreBuiltAsTheRepositoryIs(t *testing.T) {
	text := read(t, "deploy/Dockerfile")
	for _, want := range []string{
		"FROM rust:" + strings.Trim(after(t, read(t, "rust-toolchain.toml"), "channel = "), `"`) + "-",
		"cargo build --locked --profile dist --bin player-state\n",
		"COPY --from=build /src/target/dist/player-state ",
		"ENTRYPOINT [\"player-state\"]\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("deploy/Dockerfile has no %q", want)
		}
	}
	compiler := after(t, read(t, "go-compat/cmd/go.mod"), "toolchain go")
	if want := "FROM golang:" + compiler + "-"; !strings.Contains(read(t, "deploy/Dockerfile.services"), want) {
		t.Errorf("deploy/Dockerfile.services has no %q", want)
	}
	for _, file := range dockerfiles {
		user := ""
		for _, words := range instructions(t, file) {
			switch {
			case words[0] == "FROM":
				user = ""
			case words[0] == "USER":
				user = words[1]
			case words[0] == "RUN" && slices.Contains(words, "./matchmaker"):
				for _, program := range words {
					if name, found := strings.CutPrefix(program, "./"); found {
						if _, err := os.Stat(filepath.Join(root, "go-compat/cmd", name)); err != nil {
							t.Error(err)
						}
					}
				}
			}
		}
		if user != "65532:65532" {
			t.Errorf("the last stage of %s runs as %q", file, user)
		}
	}
}
