package testfeed

import (
	"context"
	"encoding/binary"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// Feed is an EventFeedService whose records, pages and faults a test decides.
// Safe for concurrent use.
type Feed struct {
	pb.UnimplementedEventFeedServiceServer

	// PageMax is the most records of an answer; 0: as many as asked for.
	PageMax int
	// Incarnation tells this feed's cursors from those of another one.
	Incarnation uint64
	// Answered, if any, is called with each answer before it is sent.
	Answered func(*pb.ReadRecordsResponse)

	mu      sync.Mutex // guards what follows
	records []*pb.Record
	dropped int // of records: no longer kept
	changed chan struct{}
	reads   int
}

// Append adds records.
func (f *Feed) Append(records ...*pb.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records = append(f.records, records...)
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// Drop forgets all records before a position, from 0.
func (f *Feed) Drop(before int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dropped = before
}

// Reads is how often the feed was read.
func (f *Feed) Reads() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reads
}

// ReadRecords implements the service.
func (f *Feed) ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	if _, ok := ctx.Deadline(); !ok {
		return nil, status.Error(codes.InvalidArgument, "no deadline")
	}
	answer, changed := f.read(req)
	if len(answer.GetRecords()) == 0 && !answer.GetGap() && req.GetWaitMs() > 0 {
		timer := time.NewTimer(time.Duration(req.GetWaitMs()) * time.Millisecond)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		case <-timer.C:
		case <-changed:
			answer, _ = f.read(req)
		}
	}
	if f.Answered != nil {
		f.Answered(answer)
	}
	return answer, nil
}

func (f *Feed) read(req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	from, known := f.position(req.GetCursor())
	answer := &pb.ReadRecordsResponse{Gap: !known || from < f.dropped}
	from = max(from, f.dropped)
	most := int(req.GetMaxRecords())
	if f.PageMax > 0 {
		most = min(most, f.PageMax)
	}
	to, bytes := from, 0
	for to < len(f.records) && to-from < most && bytes < playerstate.DefaultReadBytes {
		bytes += proto.Size(f.records[to])
		to++
	}
	answer.Records = f.records[from:to:to]
	answer.Cursor = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, f.Incarnation), uint64(to))
	answer.Behind = uint64(len(f.records) - to)
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return answer, f.changed
}

func (f *Feed) position(cursor []byte) (from int, known bool) {
	if len(cursor) == 0 {
		return 0, true
	}
	if len(cursor) != 16 || binary.BigEndian.Uint64(cursor) != f.Incarnation {
		return 0, false
	}
	return int(binary.BigEndian.Uint64(cursor[8:])), true
}
