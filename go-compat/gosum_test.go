// Package gocompat_test holds what is true of the library module as a whole.
package gocompat_test

import (
	"os"
	"strings"
	"testing"
)

// What a shard's services import they inherit: a store, a broker or a second
// protobuf belongs into a module of its own.
func TestTheLibraryBringsNoStoreNoBrokerAndNoSecondProtobuf(t *testing.T) {
	sums, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(sums), "google.golang.org/grpc ") {
		t.Fatal("go.sum does not even have grpc: this looks at the wrong file")
	}
	for _, unwanted := range []string{
		"modernc.org/sqlite", "mattn/go-sqlite3", "jackc/pgx", "gogo/protobuf", "nats-io/nats-server",
	} {
		if strings.Contains(string(sums), unwanted) {
			t.Errorf("go.sum has %s: keep what needs it in go-compat/services or in a module of its own (`go mod why -m` says who does)", unwanted)
		}
	}
}
