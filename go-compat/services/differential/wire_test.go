//go:build e2e

package differential

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/services/huntgen"
	"treasurehunt.example/go-compat/services/internal/shardtest"
	"treasurehunt.example/go-compat/services/localshard"
)

// callWithin bounds one call: the machine may be busy, the sidecar's own cap is 2 s.
const callWithin = 2 * time.Second

// wireHunts is how many hunts are played over the wire, each with a ruleset file of
// its own: an engine takes 64.
const wireHunts = 48

// TestEachEngineAnswersOverTheWireAsBothReplay plays hunts over gRPC on both
// programs. The engines read clocks there, so that no two runs have the same stamps:
// what came out, with the stamps that the engine gave, is then replayed by both
// programs, which must answer every command as the caller was answered, make the
// records that the feed gave, and end at the digest that the engine tells.
func TestEachEngineAnswersOverTheWireAsBothReplay(t *testing.T) {
	seen := newCoverage(t)
	hunts := timelessHunts(t, seen)
	config := localshard.Config{Dir: shardtest.Dir(t)}
	rules := rulesDir(t, hunts)
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			conn := serve(t, config, engine, rules)
			missingCommand(t, conn)
			for _, script := range hunts {
				playOverTheWire(t, conn, script)
			}
		})
	}
	t.Logf("over the wire, on each engine: %d hunts, %d commands\n\n%s", seen.hunts, seen.commands, seen.verdicts)
	for _, missing := range seen.verdicts.missing() {
		t.Errorf("never met over the wire: %s", missing)
	}
}

// timelessHunts draws the hunts, so that every engine plays the same.
func timelessHunts(t *testing.T, seen *coverage) [][]*pb.Record {
	t.Helper()
	hunts := make([][]*pb.Record, wireHunts)
	for seed := range hunts {
		g, err := huntgen.NewTimeless(uint64(seed))
		if err != nil {
			t.Fatal(err)
		}
		observed := seen.observe(t, g.Records()[0].GetCreated())
		dice := rapid.SliceOfN(rapid.Uint64(), commandsPerHunt, commandsPerHunt).Example(seed)
		for _, dice := range dice {
			observed.look(g)
			cmd, outcome, err := g.Step(dice)
			if err != nil {
				t.Fatal(err)
			}
			observed.add(cmd, outcome, 0)
		}
		hunts[seed] = g.Records()
	}
	return hunts
}

// missingCommand asks for what no replay file can hold: nothing. It is a command of
// defaults, which is malformed in its first field.
func missingCommand(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	call, cancel := context.WithTimeout(t.Context(), callWithin)
	defer cancel()
	response, err := pb.NewPlayerStateServiceClient(conn).Apply(call, &pb.ApplyRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if want := playerstate.InvalidOutcome(0, "hunt_id"); !proto.Equal(response.GetOutcome(), want) {
		t.Errorf("no command is answered %s, want %s", show(response.GetOutcome()), show(want))
	}
}

func playOverTheWire(t *testing.T, conn *grpc.ClientConn, script []*pb.Record) {
	t.Helper()
	created := script[0]
	call, cancel := context.WithTimeout(t.Context(), callWithin)
	defer cancel()
	_, err := pb.NewPlayerStateServiceClient(conn).CreateHunt(call, &pb.CreateHuntRequest{
		HuntId: created.GetHuntId(), Settings: created.GetCreated().GetSettings(),
	})
	if err != nil {
		t.Fatal(err)
	}
	answered := command(t, conn, script[1:])
	fed := feedOf(t, conn, created.GetHuntId())

	replayable := stamped(t, created, script[1:], answered, fed)
	inGo, inRust := replayed(t, "legacy-engine", encode(t, replayable)), replayed(t, "player-state", encode(t, replayable))
	if !bytes.Equal(inGo, inRust) {
		t.Fatalf("the programs differ on what was played over the wire, kept as %s\n%s",
			keep(t, encode(t, replayable)), firstDifference(decode(t, inGo), decode(t, inRust)))
	}
	checkReplay(t, decode(t, inGo), answered, fed)
	checkDigest(t, conn, created.GetHuntId(), decode(t, inGo))
}

// command sends the commands in batches of every size, each after the one before.
func command(t *testing.T, conn *grpc.ClientConn, script []*pb.Record) []*pb.Outcome {
	t.Helper()
	client := pb.NewPlayerStateServiceClient(conn)
	var answered []*pb.Outcome
	for size := 0; len(answered) < len(script); size = (size + 1) % 40 {
		call, cancel := context.WithTimeout(t.Context(), callWithin)
		if size == 0 {
			response, err := client.Apply(call, &pb.ApplyRequest{Command: script[len(answered)].GetApplied().GetCommand()})
			if err != nil {
				t.Fatal(err)
			}
			answered = append(answered, response.GetOutcome())
			cancel()
			continue
		}
		var batch pb.ApplyBatchRequest
		for _, record := range script[len(answered):min(len(answered)+size, len(script))] {
			batch.Commands = append(batch.Commands, record.GetApplied().GetCommand())
		}
		response, err := client.ApplyBatch(call, &batch)
		if err != nil {
			t.Fatal(err)
		}
		answered = append(answered, response.GetOutcomes()...)
		cancel()
	}
	return answered
}

// feedOf reads a hunt's records, from 1 on.
func feedOf(t *testing.T, conn *grpc.ClientConn, hunt string) []*pb.Record {
	t.Helper()
	client := pb.NewEventFeedServiceClient(conn)
	var records []*pb.Record
	var cursor []byte
	for {
		call, cancel := context.WithTimeout(t.Context(), callWithin)
		page, err := client.ReadRecords(call, &pb.ReadRecordsRequest{Cursor: cursor, MaxRecords: 1000, HuntId: hunt})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		records, cursor = append(records, page.GetRecords()...), page.GetCursor()
		if page.GetBehind() == 0 {
			return records
		}
	}
}

// stamped is the script with the times at which the engine took it. A command that
// was not applied has none; in a timeless hunt any will do that does not fall.
func stamped(t *testing.T, created *pb.Record, script []*pb.Record, answered []*pb.Outcome, fed []*pb.Record) []*pb.Record {
	t.Helper()
	first := proto.CloneOf(created)
	first.AtMs = fed[0].GetAtMs()
	records, now, next := []*pb.Record{first}, fed[0].GetAtMs(), 1
	for i, record := range script {
		record = proto.CloneOf(record)
		if answered[i].GetVerdict() == pb.Verdict_VERDICT_APPLIED {
			if next == len(fed) {
				t.Fatalf("%s: the feed ends at sequence %d, and command %d was applied after it", created.GetHuntId(), next, i+1)
			}
			now = fed[next].GetAtMs()
			next++
		}
		record.AtMs = now
		records = append(records, record)
	}
	if next != len(fed) {
		t.Fatalf("%s: the feed has %d records, and %d commands were answered APPLIED", created.GetHuntId(), len(fed), next-1)
	}
	return records
}

// checkReplay holds what callers and readers were given against the replay.
func checkReplay(t *testing.T, replay []*pb.Record, answered []*pb.Outcome, fed []*pb.Record) {
	t.Helper()
	next := 1
	for i, record := range replay[1:] {
		if got := record.GetApplied().GetOutcome(); !proto.Equal(got, answered[i]) {
			t.Fatalf("%s: command %d\nover the wire: %s\nreplayed:      %s", record.GetHuntId(), i+1, show(answered[i]), show(got))
		}
		if answered[i].GetVerdict() != pb.Verdict_VERDICT_APPLIED {
			continue
		}
		inFeed := proto.CloneOf(fed[next])
		inFeed.Digest, record.Digest = 0, 0 // each in a rhythm of its own
		if !proto.Equal(record, inFeed) {
			t.Fatalf("record %d\nin the feed: %s\nreplayed:    %s", next+1, show(inFeed), show(record))
		}
		next++
	}
}

// checkDigest compares the digest of the hunt as it stands. The replay's last record
// carries that of its end.
func checkDigest(t *testing.T, conn *grpc.ClientConn, hunt string, replay []*pb.Record) {
	t.Helper()
	call, cancel := context.WithTimeout(t.Context(), callWithin)
	defer cancel()
	now, err := pb.NewPlayerStateServiceClient(conn).GetHunt(call, &pb.GetHuntRequest{HuntId: hunt})
	if err != nil {
		t.Fatal(err)
	}
	if want := replay[len(replay)-1].GetDigest(); now.GetDigest() != want || want == 0 {
		t.Fatalf("%s: the engine's digest is %x, its replay's %x", hunt, now.GetDigest(), want)
	}
}

// serve runs an engine that is its own ledger, and connects to it.
func serve(t *testing.T, config localshard.Config, engine, rules string) *grpc.ClientConn {
	t.Helper()
	socket := "unix:" + filepath.Join(config.Dir, engine+".sock")
	args := []string{"--claim", "auto", "--listen", socket, "--rules", rules}
	if engine == "player-state" {
		args = append([]string{"serve"}, args...)
	}
	shardtest.Run(t, config, engine, args...)
	conn, err := grpc.NewClient(socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func rulesDir(t *testing.T, hunts [][]*pb.Record) string {
	t.Helper()
	dir := t.TempDir()
	for _, script := range hunts {
		created := script[0].GetCreated()
		file := filepath.Join(dir, created.GetSettings().GetRuleset()+".toml")
		if err := os.WriteFile(file, created.GetRuleset(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
