//go:build e2e

package differential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// reporter is what a test and a property have in common.
type reporter interface {
	Helper()
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// engines is the programs that are held against each other.
var engines = []string{"legacy-engine", "player-state"}

func binary(name string) string { return filepath.Join(os.Getenv("BIN_DIR"), name) }

// replayWithin bounds one replay, which takes milliseconds.
const replayWithin = 30 * time.Second

// replayed is what a program makes of a replay file.
func replayed(t reporter, engine string, script []byte) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), replayWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(engine), "replay", "-")
	cmd.Stdin = bytes.NewReader(script)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s replay %s: %v\n%s", engine, keep(t, script), err, complaint.String())
	}
	return out
}

func encode(t reporter, records []*pb.Record) []byte {
	t.Helper()
	var stream bytes.Buffer
	for _, record := range records {
		if _, err := protodelim.MarshalTo(&stream, record); err != nil {
			t.Fatal(err)
		}
	}
	return stream.Bytes()
}

func decode(t reporter, stream []byte) []*pb.Record {
	t.Helper()
	var records []*pb.Record
	reader := bytes.NewReader(stream)
	for {
		record := &pb.Record{}
		err := protodelim.UnmarshalFrom(reader, record)
		if errors.Is(err, io.EOF) {
			return records
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
}

// keep writes a replay file to where it outlives the test. A shorter one of the same
// test takes its place: what is left in the end is the shortest.
func keep(t reporter, script []byte) string {
	t.Helper()
	file := filepath.Join(os.TempDir(), fmt.Sprintf("mismatch-%d.replay", os.Getpid()))
	if err := os.WriteFile(file, script, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func firstDifference(inGo, inRust []*pb.Record) string {
	for i := range min(len(inGo), len(inRust)) {
		if !proto.Equal(inGo[i], inRust[i]) {
			return fmt.Sprintf("record %d\nGo:   %s\nRust: %s", i+1, show(inGo[i]), show(inRust[i]))
		}
	}
	return fmt.Sprintf("Go answers %d records, Rust %d; the common ones are equal", len(inGo), len(inRust))
}

func show(message proto.Message) string {
	return prototext.MarshalOptions{EmitUnknown: true}.Format(message)
}
