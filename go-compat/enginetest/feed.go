package enginetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

func (b *bench) read(req *pb.ReadRecordsRequest) *pb.ReadRecordsResponse {
	b.Helper()
	page, err := b.feeder.ReadRecords(b.ctx(), req)
	if err != nil {
		b.Fatalf("ReadRecords: %v", err)
	}
	return page
}

// now is a cursor behind everything that there is.
func (b *bench) now() []byte {
	b.Helper()
	var cursor []byte
	for {
		page := b.read(&pb.ReadRecordsRequest{Cursor: cursor, MaxRecords: 10_000})
		cursor = page.GetCursor()
		if page.GetBehind() == 0 {
			return cursor
		}
	}
}

// pages reads on from req's cursor, page by page, until a hunt's record of sequence
// last has come. Records of hunts that are not the suite's are left out.
func (b *bench) pages(req *pb.ReadRecordsRequest, hunt string, last uint64) (records []*pb.Record, pages []*pb.ReadRecordsResponse) {
	b.Helper()
	req = proto.CloneOf(req)
	req.WaitMs = 100
	for late := time.Now().Add(callTime); ; {
		page := b.read(req)
		pages = append(pages, page)
		req.Cursor = page.GetCursor()
		if page.GetGap() {
			b.Fatalf("page %d begins with a gap: records of the last moment are kept no more", len(pages))
		}
		for _, record := range page.GetRecords() {
			if record.GetHuntId() == hunt {
				records = append(records, record)
			}
		}
		if n := len(records); n > 0 && records[n-1].GetSequence() >= last {
			return records, pages
		}
		if time.Now().After(late) {
			b.Fatalf("record %d of the hunt is not in the feed; of those that are, %d, the last is %v", last, len(records), records[len(records)-1:])
		}
	}
}

// played is a hunt with moves and digs of several players, and its feed.
type played struct {
	hunt    string
	before  []byte // the cursor before it began
	answers []answered
}

func (p *played) last() uint64 { return uint64(len(p.answers) + 1) }

func (b *bench) played() *played {
	b.Helper()
	before := b.now()
	hunt := b.hunt()
	return &played{hunt: hunt, before: before, answers: applied(b.play(hunt))}
}

func (b *bench) all(p *played) []*pb.Record {
	b.Helper()
	records, _ := b.pages(&pb.ReadRecordsRequest{Cursor: p.before, MaxRecords: 10_000}, p.hunt, p.last())
	return records
}

func answersAreRecords(b *bench) {
	p := b.played()
	records := b.all(p)
	for i, record := range records {
		if record.GetSequence() != uint64(i+1) {
			b.Fatalf("record %d has sequence %d: a hunt's are 1, 2, 3 …", i+1, record.GetSequence())
		}
		if i > 0 && record.GetAtMs() < records[i-1].GetAtMs() {
			b.Errorf("record %d is of an earlier time than the one before it", i+1)
		}
	}
	shown := b.getHunt(p.hunt, 0)
	created := records[0].GetCreated()
	if created == nil || records[0].GetAtMs() != shown.GetStartsAtMs() || records[0].GetEpoch() != shown.GetEpoch() {
		b.Fatalf("the first record is %v; want the creation, at the hunt's start and epoch", records[0])
	}
	b.wantSame("the settings in the first record", created.GetSettings(), settings())
	if len(records) != len(p.answers)+1 {
		b.Fatalf("%d records; want the creation and one for each of %d commands that were applied", len(records), len(p.answers))
	}
	for i, a := range p.answers {
		record := records[i+1]
		b.wantSame(fmt.Sprintf("the outcome in record %d", i+2), record.GetApplied().GetOutcome(), a.outcome)
		b.wantSame(fmt.Sprintf("the command in record %d", i+2), record.GetApplied().GetCommand(), asApplied(a.cmd))
	}
	if shown.GetSequence() != p.last() {
		b.Errorf("the hunt is shown at sequence %d; its last record is %d", shown.GetSequence(), p.last())
	}
}

func cursorGoesOn(b *bench) {
	p := b.played()
	want := b.all(p)
	for _, size := range []uint32{1, 7} {
		req := &pb.ReadRecordsRequest{Cursor: p.before, MaxRecords: size}
		got, pages := b.pages(req, p.hunt, p.last())
		for i, page := range pages {
			if len(page.GetRecords()) > int(size) {
				b.Fatalf("page %d has %d records; at most %d were asked for", i, len(page.GetRecords()), size)
			}
		}
		b.wantSameRecords(fmt.Sprintf("in pages of %d", size), got, want)
		req.Cursor = pages[len(pages)/2].GetCursor() // a cursor is read from as often as one likes
		rest, _ := b.pages(req, p.hunt, p.last())
		b.wantSameRecords("from the middle on, once more", rest, want[len(want)-len(rest):])
	}
}

func (b *bench) wantSameRecords(what string, got, want []*pb.Record) {
	b.Helper()
	if !slices.EqualFunc(got, want, func(a, b *pb.Record) bool { return proto.Equal(a, b) }) {
		b.Errorf("%s: %d records that are not the %d that there are", what, len(got), len(want))
	}
}

func readerOfOneHunt(b *bench) {
	p := b.played()
	other := b.hunt()
	b.mustApply(b.join(other, 1))
	got, pages := b.pages(&pb.ReadRecordsRequest{Cursor: p.before, MaxRecords: 50, HuntId: p.hunt}, p.hunt, p.last())
	b.wantSameRecords("of one hunt", got, b.all(p))
	for _, page := range pages {
		for _, record := range page.GetRecords() {
			if record.GetHuntId() != p.hunt {
				b.Fatalf("a record of %s came to a reader of %s", record.GetHuntId(), p.hunt)
			}
		}
	}
}

func movesAreSkipped(b *bench) {
	p := b.played()
	b.mustApply(b.leave(p.hunt, 1)) // the last is no move
	last := p.last() + 1
	all, _ := b.pages(&pb.ReadRecordsRequest{Cursor: p.before, MaxRecords: 10_000}, p.hunt, last)
	isMove := func(r *pb.Record) bool { return r.GetApplied().GetCommand().GetMove() != nil }
	if !slices.ContainsFunc(all, isMove) {
		b.Skip("nothing shown: the engine let nobody move")
	}
	got, _ := b.pages(&pb.ReadRecordsRequest{Cursor: p.before, MaxRecords: 50, SkipMoves: true}, p.hunt, last)
	b.wantSameRecords("without moves", got, slices.DeleteFunc(all, isMove))
}

func pageIsBounded(b *bench) {
	p := b.played()
	const bytesMax = 300
	got, pages := b.pages(&pb.ReadRecordsRequest{Cursor: p.before, MaxRecords: 10_000, MaxBytes: bytesMax}, p.hunt, p.last())
	for i, page := range pages {
		var bytes int
		for _, record := range page.GetRecords() {
			bytes += proto.Size(record)
		}
		if bytes > bytesMax && len(page.GetRecords()) > 1 {
			b.Errorf("page %d: %d records of %d bytes; at most %d were asked for", i, len(page.GetRecords()), bytes, bytesMax)
		}
	}
	b.wantSameRecords("in pages of 300 bytes", got, b.all(p))
}

// longWait is how long a reader of the suite would wait that is not woken.
const longWait = 5 * time.Second

func readerIsWoken(b *bench) {
	cursor := b.now()
	began := time.Now()
	created := make(chan struct{})
	time.AfterFunc(100*time.Millisecond, func() { // the reader waits by then; if not, it finds it
		defer close(created)
		if _, err := b.engine.CreateHunt(b.ctx(), b.createRequest(newID())); err != nil {
			b.Error(err)
		}
	})
	defer func() { <-created }()
	page := b.read(&pb.ReadRecordsRequest{Cursor: cursor, MaxRecords: 10, WaitMs: uint32(longWait.Milliseconds())})
	took := time.Since(began)
	if len(page.GetRecords()) == 0 || took >= longWait {
		b.Errorf("%d records after %s; a record came after 100 ms", len(page.GetRecords()), took)
	}
}

func readerWaitsInVain(b *bench) {
	const wait = 100 * time.Millisecond
	cursor := b.now()
	began := time.Now()
	page := b.read(&pb.ReadRecordsRequest{Cursor: cursor, MaxRecords: 10, WaitMs: uint32(wait.Milliseconds())})
	if took := time.Since(began); len(page.GetRecords()) == 0 && took < wait/2 {
		b.Errorf("back after %s with nothing; it was to wait %s", took, wait)
	}
	if page.GetGap() || len(page.GetCursor()) == 0 {
		b.Errorf("nothing came: %v; want a cursor to go on from, and no gap", page)
	}
}

func foreignCursorIsGap(b *bench) {
	b.hunt()
	page := b.read(&pb.ReadRecordsRequest{Cursor: []byte("of another feed"), MaxRecords: 1})
	if !page.GetGap() || len(page.GetRecords()) != 1 {
		b.Fatalf("%v; want the oldest record that is kept, with gap", page)
	}
	oldest := b.read(&pb.ReadRecordsRequest{MaxRecords: 1})
	b.wantSameRecords("from the beginning", page.GetRecords(), oldest.GetRecords())
	if next := b.read(&pb.ReadRecordsRequest{Cursor: page.GetCursor(), MaxRecords: 1}); next.GetGap() {
		b.Error("the gap is told twice")
	}
}

func recordIsFound(b *bench) {
	p := b.played()
	for _, want := range b.all(p) {
		got, err := b.feeder.GetRecord(b.ctx(), &pb.GetRecordRequest{HuntId: p.hunt, Sequence: want.GetSequence()})
		if err != nil {
			b.Fatalf("GetRecord %d: %v", want.GetSequence(), err)
		}
		b.wantSame(fmt.Sprintf("record %d", want.GetSequence()), got.GetRecord(), want)
	}
	_, err := b.feeder.GetRecord(b.ctx(), &pb.GetRecordRequest{HuntId: p.hunt, Sequence: p.last() + 1})
	b.wantNotApplied(err, codes.NotFound)
	_, err = b.feeder.GetRecord(b.ctx(), &pb.GetRecordRequest{HuntId: newID(), Sequence: 1})
	b.wantNotApplied(err, codes.NotFound)
}

func endIsRecord(b *bench) {
	before := b.now()
	hunt := b.hunt()
	b.mustApply(b.join(hunt, 1))
	result := b.end(hunt)
	b.end(hunt)
	b.apply(b.join(hunt, 2)) // rejected: it leaves no record
	records, _ := b.pages(&pb.ReadRecordsRequest{Cursor: before, MaxRecords: 100}, hunt, 3)
	if len(records) != 3 || records[2].GetEnded() == nil {
		b.Fatalf("%v; want the creation, the Join and one end", records)
	}
	ended := records[2].GetEnded()
	b.wantSame("the end's standings", &pb.EndHuntResponse{Standings: ended.GetStandings(), Players: ended.GetPlayers()}, result)
	if at := b.getHunt(hunt, 0).GetEndsAtMs(); at != records[2].GetAtMs() {
		b.Errorf("it ended at %d, by its record at %d", at, records[2].GetAtMs())
	}
	later := b.read(&pb.ReadRecordsRequest{Cursor: before, MaxRecords: 100, HuntId: hunt})
	b.wantSameRecords("after the end", later.GetRecords(), records)
}

func readsAreChecked(b *bench) {
	read := func(req *pb.ReadRecordsRequest) error {
		_, err := b.feeder.ReadRecords(b.ctx(), req)
		return err
	}
	b.wantField(read(&pb.ReadRecordsRequest{}), "max_records")
	b.wantField(read(&pb.ReadRecordsRequest{MaxRecords: 10_001}), "max_records")
	b.wantField(read(&pb.ReadRecordsRequest{MaxRecords: 1, WaitMs: 30_001}), "wait_ms")
	b.wantField(read(&pb.ReadRecordsRequest{MaxRecords: 1, HuntId: "two words"}), "hunt_id")
	record := func(req *pb.GetRecordRequest) error {
		_, err := b.feeder.GetRecord(b.ctx(), req)
		return err
	}
	b.wantField(record(&pb.GetRecordRequest{Sequence: 1}), "hunt_id")
	b.wantField(record(&pb.GetRecordRequest{HuntId: newID()}), "sequence")

	over, cancel := context.WithCancel(b.Context())
	cancel()
	if _, err := b.feeder.ReadRecords(over, &pb.ReadRecordsRequest{MaxRecords: 1}); err != nil {
		b.wantEndOfContext(b.failure(err))
	}
}
