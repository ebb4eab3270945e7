//go:build e2e

package adopting

import (
	"fmt"
	"strings"
	"testing"
)

// block is a fenced block of a Markdown file. What stands behind the language says
// what a test does with it:
//
//	```sh run              run, with all others of its file, in order, in one shell
//	```text output         what the block before it prints; … stands for any end of a line
//	```go examples/go/F    stands in that file, line for line
//
// A block of these languages that says nothing is an error, so that none escapes:
// what is not to be run is a `console` block.
type block struct {
	language, says string
	lines          []string
	at             string // file:line
}

const fence = "```"

// blocksOf gives the fenced blocks of a file of the repository.
func blocksOf(t *testing.T, path string) []block {
	t.Helper()
	var blocks []block
	var open *block
	for i, line := range strings.Split(read(t, path), "\n") {
		switch {
		case open == nil && strings.HasPrefix(line, fence):
			language, says, _ := strings.Cut(strings.TrimPrefix(line, fence), " ")
			open = &block{language: language, says: says, at: fmt.Sprintf("%s:%d", path, i+1)}
		case open != nil && line == fence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.lines = append(open.lines, line)
		}
	}
	if open != nil {
		t.Fatalf("%s: the block is not closed", open.at)
	}
	return blocks
}
