package replay

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/rulesets"
)

const startsAt = 1_000_000

func file(t *testing.T, records ...*pb.Record) *bytes.Buffer {
	t.Helper()
	var buffer bytes.Buffer
	for _, record := range records {
		if _, err := protodelim.MarshalTo(&buffer, record); err != nil {
			t.Fatal(err)
		}
	}
	return &buffer
}

func run(t *testing.T, records ...*pb.Record) ([]*pb.Record, error) {
	t.Helper()
	var out bytes.Buffer
	err := Run(file(t, records...), &out)
	var played []*pb.Record
	for out.Len() > 0 {
		record := &pb.Record{}
		if err := protodelim.UnmarshalFrom(&out, record); err != nil {
			t.Fatal(err)
		}
		played = append(played, record)
	}
	return played, err
}

func created() *pb.Record {
	return &pb.Record{HuntId: "h", Epoch: 3, AtMs: startsAt, Change: &pb.Record_Created{Created: &pb.HuntCreated{
		Settings: &pb.HuntSettings{Seed: 1, Width: 4, Height: 4, Treasures: 4, Caches: 4, MaxPlayers: 2, DurationMs: 1000},
		Ruleset:  rulesets.Classic(),
	}}}
}

func command(atMs int64, cmd *pb.Command) *pb.Record {
	cmd.HuntId = "h"
	return &pb.Record{HuntId: "h", AtMs: atMs, Change: &pb.Record_Applied{Applied: &pb.Applied{Command: cmd}}}
}

func join(player, request uint64) *pb.Command {
	return &pb.Command{PlayerId: player, RequestId: request, Action: &pb.Command_Join{Join: &pb.Join{}}}
}

func ended(atMs int64) *pb.Record {
	return &pb.Record{HuntId: "h", AtMs: atMs, Change: &pb.Record_Ended{Ended: &pb.HuntEnded{}}}
}

func TestEachRecordComesBackWithWhatBecameOfIt(t *testing.T) {
	played, err := run(t,
		created(),
		command(startsAt+1, join(7, 1)),
		command(startsAt+2, &pb.Command{PlayerId: 8, RequestId: 1, Action: &pb.Command_Dig{Dig: &pb.Dig{}}}),
		command(startsAt+3, &pb.Command{PlayerId: 8}),
		ended(startsAt+4),
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := played[0]; got.GetSequence() != 1 || got.GetEpoch() != 3 || got.GetDigest() == 0 || got.GetCreated().GetRulesVersion() != 1 {
		t.Errorf("created: %v", got)
	}
	if got := played[1]; got.GetSequence() != 2 || got.GetEpoch() != 3 || got.GetApplied().GetOutcome().GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		t.Errorf("join: %v", got)
	}
	if got := played[2]; got.GetSequence() != 0 || got.GetApplied().GetOutcome().GetRejection() != pb.Rejection_REJECTION_NOT_JOINED {
		t.Errorf("dig of a stranger: %v", got)
	}
	if got := played[3].GetApplied().GetOutcome().GetRefusal(); got.GetDetail() != "request_id" {
		t.Errorf("malformed: %v", got)
	}
	if got := played[4]; got.GetSequence() != 3 || got.GetDigest() == 0 || got.GetEnded().GetPlayers() != 1 {
		t.Errorf("ended: %v", got)
	}
}

func TestTheLastRecordCarriesTheDigest(t *testing.T) {
	played, err := run(t, created(), command(startsAt, join(1, 1)), command(startsAt, &pb.Command{}))
	if err != nil {
		t.Fatal(err)
	}
	if played[1].GetDigest() != 0 || played[2].GetDigest() == 0 {
		t.Errorf("digests: %d, %d", played[1].GetDigest(), played[2].GetDigest())
	}
}

func TestEvery100thSequenceCarriesTheDigest(t *testing.T) {
	records := []*pb.Record{created()}
	for i := range 150 {
		records = append(records, command(startsAt, join(1, uint64(i+1))))
	}
	played, err := run(t, records...)
	if err != nil {
		t.Fatal(err)
	}
	for i, record := range played {
		want := i == 0 || record.GetSequence() == 100 || i == len(played)-1
		if (record.GetDigest() != 0) != want {
			t.Errorf("sequence %d has digest %d", record.GetSequence(), record.GetDigest())
		}
	}
}

func TestPlayingTheOutputAgainGivesTheSameBytes(t *testing.T) {
	var once, twice bytes.Buffer
	in := file(t, created(), command(startsAt+1, join(1, 1)), command(startsAt+2, join(2, 1)), ended(startsAt+5000))
	if err := Run(in, &once); err != nil {
		t.Fatal(err)
	}
	if err := Run(bytes.NewReader(once.Bytes()), &twice); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(once.Bytes(), twice.Bytes()) {
		t.Error("the output, played again, differs from itself")
	}
}

func TestWrongFilesAreRefusedByRecord(t *testing.T) {
	spoilt := func(spoil func(*pb.Record)) *pb.Record {
		record := proto.CloneOf(created())
		spoil(record)
		return record
	}
	for name, test := range map[string]struct {
		records []*pb.Record
		record  int
	}{
		"empty":                   {nil, 1},
		"no created":              {[]*pb.Record{ended(1)}, 1},
		"a version not known":     {[]*pb.Record{spoilt(func(r *pb.Record) { r.GetCreated().RulesVersion = 2 })}, 1},
		"a hash of another file":  {[]*pb.Record{spoilt(func(r *pb.Record) { r.GetCreated().RulesetHash = "00" })}, 1},
		"settings out of bounds":  {[]*pb.Record{spoilt(func(r *pb.Record) { r.GetCreated().GetSettings().Width = 0 })}, 1},
		"a ruleset that is wrong": {[]*pb.Record{spoilt(func(r *pb.Record) { r.GetCreated().Ruleset = []byte("x") })}, 1},
		"a stamp that falls":      {[]*pb.Record{created(), command(startsAt-1, join(1, 1))}, 2},
		"two ends":                {[]*pb.Record{created(), ended(startsAt), ended(startsAt)}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, test.records...)
			var wrong *DataError
			if !errors.As(err, &wrong) || wrong.Record != test.record {
				t.Errorf("got %v, want a DataError of record %d", err, test.record)
			}
		})
	}
}

func TestAFileCutInsideARecordIsRefused(t *testing.T) {
	whole := file(t, created(), command(startsAt, join(1, 1))).Bytes()
	var out bytes.Buffer
	var wrong *DataError
	if err := Run(bytes.NewReader(whole[:len(whole)-1]), &out); !errors.As(err, &wrong) || wrong.Record != 2 {
		t.Errorf("got %v, want a DataError of record 2", err)
	}
}

func TestBytesThatAreNoRecordAreRefusedInTheSidecarsWords(t *testing.T) {
	for given, want := range map[string]string{
		"\x05\x0a":                 "record 1: is cut off: the file ends inside it",
		"\x80":                     "record 1: is cut off: the file ends inside it",
		"\xff\xff\xff\xff\x0f":     "record 1: is 4294967295 bytes long, over the 73728 that a record has at most",
		"\x81\xc0\x04":             "record 1: is 73729 bytes long, over the 73728 that a record has at most",
		"\x80\xc0\x04":             "record 1: is cut off: the file ends inside it", // 73728 bytes
		"\x01\x0a":                 "record 1: is no Record message: ",              // whole, and cut off inside
		"\x01\x07":                 "record 1: is no Record message: ",
		strings.Repeat("\xff", 10): "record 1: is no Record message: ",
	} {
		err := Run(strings.NewReader(given), io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("of %q: %v; want %s", given, err, want)
		}
	}
}
