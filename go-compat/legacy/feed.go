package legacy

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// feed is the ring as its readers see it.
type feed struct {
	ring        *ring
	incarnation uint64 // of this ring, so that another's cursor is known as such
	waiters     atomic.Int64
	waitersMax  int64
	closing     <-chan struct{} // who waits is answered with what there is
}

const cursorBytes = 16

// answerWithin is how long before its caller's deadline a wait ends.
const answerWithin = 20 * time.Millisecond

// cursor is where to read next: this ring, and a position in it.
func (f *feed) cursor(position uint64) []byte {
	c := make([]byte, 0, cursorBytes)
	c = binary.BigEndian.AppendUint64(c, f.incarnation)
	return binary.BigEndian.AppendUint64(c, position)
}

// position reads a cursor. One that is not of this ring starts over, with gap.
func (f *feed) position(cursor []byte) (position uint64, foreign bool) {
	const first = 1
	if len(cursor) == 0 {
		return first, false
	}
	if len(cursor) != cursorBytes || binary.BigEndian.Uint64(cursor) != f.incarnation {
		return first, true
	}
	position = binary.BigEndian.Uint64(cursor[cursorBytes/2:])
	if position < first || position > f.ring.end() {
		return first, true
	}
	return position, false
}

// ReadRecords implements [playerstate.Feeder]. A max_bytes over 192 KiB counts as
// 192 KiB: a reply always ends somewhere.
func (e *Engine) ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	ctx, leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if f := playerstate.CheckReadRecords(req); f != nil {
		return nil, f
	}
	return e.feed.read(ctx, req)
}

func (f *feed) read(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	q := query{hunt: req.GetHuntId(), skipMoves: req.GetSkipMoves(), records: int(req.GetMaxRecords()), bytes: int(req.GetMaxBytes())}
	if q.bytes == 0 || q.bytes > playerstate.DefaultReadBytes {
		q.bytes = playerstate.DefaultReadBytes
	}
	from, foreign := f.position(req.GetCursor())
	p := f.ring.read(from, q)
	if len(p.records) == 0 && !p.gap && !foreign && p.behind == 0 && req.GetWaitMs() > 0 {
		var err error
		if p, err = f.wait(ctx, p.next, q, time.Duration(req.GetWaitMs())*time.Millisecond); err != nil {
			return nil, err
		}
	}
	reply := &pb.ReadRecordsResponse{Cursor: f.cursor(p.next), Gap: p.gap || foreign, Behind: p.behind}
	for _, bytes := range p.records {
		record, err := decode(bytes)
		if err != nil {
			return nil, err
		}
		reply.Records = append(reply.Records, record)
	}
	return reply, nil
}

// wait reads from a position on when there is something to see, for as long as asked.
func (f *feed) wait(ctx context.Context, from uint64, q query, long time.Duration) (page, error) {
	defer f.waiters.Add(-1)
	if n := f.waiters.Add(1); n > f.waitersMax {
		return page{}, playerstate.RetryLater(codes.ResourceExhausted, retryLater,
			"%d reads of the feed wait already, which is the limit; read without wait_ms, or later", f.waitersMax)
	}
	if deadline, ok := ctx.Deadline(); ok { // an empty answer in time is worth more than none
		long = min(long, time.Until(deadline)-answerWithin)
	}
	over := time.NewTimer(long)
	defer over.Stop()
	p := page{next: from}
	for {
		if more := f.ring.more(p.next); more != nil {
			select {
			case <-more:
			case <-over.C:
				return p, nil
			case <-f.closing:
				return p, nil
			case <-ctx.Done():
				return page{}, leftEarly(ctx, playerstate.FateNotApplied)
			}
		}
		if p = f.ring.read(p.next, q); len(p.records) > 0 || p.gap || p.behind > 0 {
			return p, nil
		}
	}
}

// GetRecord implements [playerstate.Feeder].
func (e *Engine) GetRecord(ctx context.Context, req *pb.GetRecordRequest) (*pb.GetRecordResponse, error) {
	_, leave, err := e.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if f := playerstate.CheckGetRecord(req); f != nil {
		return nil, f
	}
	bytes, oldest := e.feed.ring.find(req.GetHuntId(), req.GetSequence())
	if bytes == nil {
		return nil, playerstate.NotApplied(codes.NotFound, "record %d of hunt %s is not here: %s",
			req.GetSequence(), req.GetHuntId(), whatIsKept(oldest))
	}
	record, err := decode(bytes)
	if err != nil {
		return nil, err
	}
	return &pb.GetRecordResponse{Record: record}, nil
}

func whatIsKept(oldest uint64) string {
	if oldest == 0 {
		return "no record of that hunt is kept"
	}
	return fmt.Sprintf("of that hunt those from %d on are kept", oldest)
}

// decode makes a message of a record kept. It is the reader's own.
func decode(bytes []byte) (*pb.Record, error) {
	record := &pb.Record{}
	if err := proto.Unmarshal(bytes, record); err != nil {
		return nil, fmt.Errorf("legacy: a record that this engine wrote does not read: %w", err)
	}
	return record, nil
}
