// Package replay plays a file of stamped commands through the rules, and writes
// what became of them. The other engine does the same; the two outputs must be
// the same bytes, which is how the engines check each other.
//
// A replay file is a stream of Record messages, each after its length as a
// varint: record 1 (created, with settings and the ruleset's bytes), a record per
// command (applied, with the command and its at_ms alone), owner_changed, with its
// epoch, where the hunt passes to another owner, and, if the hunt is to end by call,
// ended. Nothing here reads a clock.
package replay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// digestEvery is how often an applied command's record carries the digest; so do
// the first, the end's, and the file's last.
const digestEvery = 100

// DataError says what is wrong with a replay file, and where.
type DataError struct {
	Record int // from 1, in the order of the file
	Err    error
}

func (e *DataError) Error() string { return fmt.Sprintf("record %d: %v", e.Record, e.Err) }

// Unwrap gives the cause.
func (e *DataError) Unwrap() error { return e.Err }

// Run reads a replay file from in and writes it to out, each record with its
// outcome, sequence, epoch and digest, as soon as the next one was read: the last
// carries a digest. A file that is wrong is a [*DataError]; what was written until
// then is whole.
func Run(in io.Reader, out io.Writer) error {
	reader := bufio.NewReader(in)
	writer := bufio.NewWriter(out)
	var game *Game
	for n := 1; ; n++ {
		given, err := read(reader)
		if errors.Is(err, io.EOF) {
			return finish(n)
		}
		var played *pb.Record
		if err == nil {
			game, played, err = play(game, given)
		}
		if err != nil {
			return &DataError{Record: n, Err: err}
		}
		if _, err := reader.Peek(1); err != nil && played.GetDigest() == 0 { // the last one
			played.Digest = game.Hunt().Digest()
		}
		if err := errors.Join(write(writer, played), writer.Flush()); err != nil {
			return err
		}
	}
}

// play opens the game with the first record, and takes it on with the others.
func play(game *Game, given *pb.Record) (*Game, *pb.Record, error) {
	if game == nil {
		return Open(given)
	}
	played, err := game.Play(given)
	return game, played, err
}

func finish(records int) error {
	if records == 1 {
		return &DataError{Record: 1, Err: errors.New("the file is empty; it begins with a created record")}
	}
	return nil
}

// read takes the next record; io.EOF at the end of the file. Its failures are
// worded as the other engine words them.
func read(reader *bufio.Reader) (*pb.Record, error) {
	record := &pb.Record{}
	err := protodelim.UnmarshalOptions{
		MaxSize:          recordBytesMax,
		UnmarshalOptions: proto.UnmarshalOptions{DiscardUnknown: true},
	}.UnmarshalFrom(reader, record)
	var tooLong *protodelim.SizeTooLargeError
	var unreadable *fs.PathError
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return record, err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("is cut off: the file ends inside it")
	case errors.As(err, &tooLong):
		return nil, fmt.Errorf("is %d bytes long, over the %d that a record has at most", tooLong.Size, tooLong.MaxSize)
	case errors.As(err, &unreadable):
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return nil, fmt.Errorf("is no Record message: %w", err)
}

// recordBytesMax is the most bytes of a record, which holds a ruleset of 64 KiB at
// most.
const recordBytesMax = 72 << 10

// write writes the canonical bytes, fields by number. protobuf-go puts a oneof
// behind all other fields, and the digest's number is above those of the change.
func write(writer io.Writer, record *pb.Record) error {
	digest := record.GetDigest()
	record.Digest = 0
	message, err := proto.MarshalOptions{Deterministic: true}.Marshal(record)
	if err != nil {
		return err
	}
	if digest != 0 {
		record.Digest = digest
		message = protowire.AppendTag(message, digestField, protowire.Fixed64Type)
		message = protowire.AppendFixed64(message, digest)
	}
	_, err = writer.Write(protowire.AppendBytes(nil, message))
	return err
}

const digestField protowire.Number = 9
