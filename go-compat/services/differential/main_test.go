//go:build e2e

// Package differential holds the Go and the Rust engine against each other, as the
// programs that are shipped: on generated hunts, in replay files and over the wire;
// and it holds the comparison itself against engines that were made wrong on purpose.
// `make test-differential` builds the programs and runs it; BIN_DIR says where they are.
package differential

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

var long = flag.Bool("long", false, "compare 10^7 commands instead of 10^5")

// A hunt has so many commands on average.
const commandsPerHunt = 250

func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("BIN_DIR") == "" {
		fmt.Fprintln(os.Stderr, "BIN_DIR is not set: run `make test-differential`, which builds the programs and says where they are")
		os.Exit(2)
	}
	os.Exit(m.Run())
}
