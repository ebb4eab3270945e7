//go:build e2e

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/huntgen"
)

const commandsPerHunt = 500

// TestBothEnginesAnswerTheSame drives the Go and the Rust engine with the same
// generated hunts: every outcome, and the digest at each 100th sequence, must be
// the same bytes. A mismatch names the seed and keeps the replay file.
func TestBothEnginesAnswerTheSame(t *testing.T) {
	t.Parallel()
	hunts := 40 // 20,000 commands
	if *long {
		hunts = 20_000
	}
	seen := newCoverage()
	for seed := range uint64(hunts) {
		script, err := huntgen.Generate(seed, commandsPerHunt, huntgen.Legacy)
		if err != nil {
			t.Fatal(err)
		}
		file := writeScript(t, seed, script)
		inGo, inRust := replay(t, "legacy-engine", file), replay(t, "player-state", file)
		if !bytes.Equal(inGo, inRust) {
			t.Fatalf("seed %d: the engines differ; run both on %s\n%s", seed, keep(t, file), firstDifference(t, inGo, inRust))
		}
		seen.add(decode(t, inGo))
		os.Remove(file)
	}
	t.Log(seen)
	for _, missing := range seen.missing() {
		t.Errorf("%d hunts never met %s", hunts, missing)
	}
}

func writeScript(t *testing.T, seed uint64, records []*pb.Record) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), fmt.Sprintf("seed-%d.replay", seed))
	var text bytes.Buffer
	for _, record := range records {
		if _, err := protodelim.MarshalTo(&text, record); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func replay(t *testing.T, engine, file string) []byte {
	t.Helper()
	cmd := exec.Command(binary(engine), "replay", file)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s replay %s: %v\n%s", engine, keep(t, file), err, complaint.String())
	}
	return out
}

// keep moves a replay file to where it outlives the test.
func keep(t *testing.T, file string) string {
	t.Helper()
	kept := filepath.Join(os.TempDir(), filepath.Base(file))
	if err := os.Rename(file, kept); err != nil {
		t.Log(err)
		return file
	}
	return kept
}

func decode(t *testing.T, stream []byte) []*pb.Record {
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

func firstDifference(t *testing.T, inGo, inRust []byte) string {
	t.Helper()
	g, r := decode(t, inGo), decode(t, inRust)
	for i := range min(len(g), len(r)) {
		if !proto.Equal(g[i], r[i]) {
			return fmt.Sprintf("record %d\nGo:   %s\nRust: %s", i+1, prototext.Format(g[i]), prototext.Format(r[i]))
		}
	}
	return fmt.Sprintf("Go answers %d records, Rust %d; the common ones are equal", len(g), len(r))
}
