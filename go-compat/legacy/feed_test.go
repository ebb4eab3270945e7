package legacy

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

func read(t *testing.T, e *Engine, req *pb.ReadRecordsRequest) *pb.ReadRecordsResponse {
	t.Helper()
	if req.MaxRecords == 0 {
		req.MaxRecords = 10_000
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	reply, err := e.ReadRecords(ctx, req)
	if err != nil {
		t.Fatalf("ReadRecords: %v", err)
	}
	return reply
}

// places are the hunts and sequences of records, in short.
func places(records []*pb.Record) string {
	text := ""
	for _, r := range records {
		text += fmt.Sprintf("%s/%d ", r.GetHuntId(), r.GetSequence())
	}
	return text
}

func TestAReaderGoesOnFromItsCursor(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, "a")
		for i := range uint64(3) {
			apply(t, e, join("a", 1, i+1))
		}
		first := read(t, e, &pb.ReadRecordsRequest{MaxRecords: 3})
		if got := places(first.GetRecords()); got != "a/1 a/2 a/3 " || first.GetBehind() != 1 || first.GetGap() {
			t.Errorf("first page: %s, behind %d, gap %v", got, first.GetBehind(), first.GetGap())
		}
		second := read(t, e, &pb.ReadRecordsRequest{Cursor: first.GetCursor()})
		if got := places(second.GetRecords()); got != "a/4 " || second.GetBehind() != 0 {
			t.Errorf("second page: %s, behind %d", got, second.GetBehind())
		}
	})
}

func TestAPageEndsAtItsBytesButHasOneRecordAtLeast(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, "a") // a record of some KiB, for it holds the ruleset
		apply(t, e, join("a", 1, 1))
		if got := places(read(t, e, &pb.ReadRecordsRequest{MaxBytes: 1}).GetRecords()); got != "a/1 " {
			t.Errorf("read %s", got)
		}
	})
}

func TestAReaderSeesOneHuntOrNoMovesIfItAsks(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, "a")
		create(t, e, "b")
		at := apply(t, e, join("a", 1, 1)).GetPlayer()
		apply(t, e, stay("a", 1, 2, at))
		apply(t, e, join("b", 1, 1))
		if got := places(read(t, e, &pb.ReadRecordsRequest{HuntId: "b"}).GetRecords()); got != "b/1 b/2 " {
			t.Errorf("of b: %s", got)
		}
		if got := places(read(t, e, &pb.ReadRecordsRequest{SkipMoves: true}).GetRecords()); got != "a/1 b/1 a/2 b/2 " {
			t.Errorf("without moves: %s", got)
		}
	})
}

func TestAReaderBehindTheFeedIsToldOnce(t *testing.T) {
	config := auto()
	config.Limits.FeedRecords = 3
	inBubble(t, config, func(t *testing.T, e *Engine) {
		create(t, e, "a")
		start := read(t, e, &pb.ReadRecordsRequest{MaxRecords: 1}).GetCursor()
		for i := range uint64(6) {
			apply(t, e, join("a", 1, i+1))
		}
		late := read(t, e, &pb.ReadRecordsRequest{Cursor: start})
		if got := places(late.GetRecords()); !late.GetGap() || got != "a/5 a/6 a/7 " {
			t.Errorf("behind: gap %v, %s", late.GetGap(), got)
		}
		if again := read(t, e, &pb.ReadRecordsRequest{Cursor: late.GetCursor()}); again.GetGap() {
			t.Error("told twice")
		}
		_, err := e.GetRecord(t.Context(), &pb.GetRecordRequest{HuntId: "a", Sequence: 4})
		wantCode(t, err, codes.NotFound)
		kept, err := e.GetRecord(t.Context(), &pb.GetRecordRequest{HuntId: "a", Sequence: 5})
		if err != nil || kept.GetRecord().GetSequence() != 5 {
			t.Errorf("GetRecord of one that is kept: %v, %v", kept, err)
		}
	})
}

func TestTheFeedIsBoundedByBytesToo(t *testing.T) {
	r := newRing(1000, 100)
	for i := range uint64(50) {
		r.append("a", i+1, false, make([]byte, 30))
		if records, bytes, _ := r.usage(); records > 3 || bytes > 100 {
			t.Fatalf("%d records of %d bytes", records, bytes)
		}
	}
	r.append("a", 51, false, make([]byte, 500)) // one is always kept
	if records, _, dropped := r.usage(); records != 1 || dropped != 50 {
		t.Errorf("%d records, %d dropped", records, dropped)
	}
}

func TestARingForgetsWholeChunksAndHunts(t *testing.T) {
	r := newRing(10, 1<<20)
	for i := range uint64(3*chunkLen + 7) {
		r.append(fmt.Sprint("hunt-", i/100), i%100+1, false, []byte{1})
	}
	if len(r.chunks) > 2 || len(r.hunts) > 2 {
		t.Errorf("%d chunks and %d hunts for 10 records", len(r.chunks), len(r.hunts))
	}
	if p := r.read(1, query{records: 100, bytes: 1 << 20}); len(p.records) != 10 || !p.gap || p.behind != 0 {
		t.Errorf("read %d records, gap %v", len(p.records), p.gap)
	}
}

func TestAFilterEndsAfterSoManyRecordsWithACursorThatWentOn(t *testing.T) {
	r := newRing(300_000, 1<<30)
	for i := range uint64(scanMost + 5000) {
		r.append("a", i+1, false, []byte{1})
	}
	p := r.read(1, query{hunt: "b", records: 10, bytes: 1 << 20})
	if len(p.records) != 0 || p.next <= scanMost || p.behind == 0 {
		t.Errorf("next %d, behind %d", p.next, p.behind)
	}
}

func TestACursorOfAnotherEngineStartsOverWithAGap(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, "a")
		for _, cursor := range [][]byte{[]byte("junk"), make([]byte, cursorBytes), e.feed.cursor(99), e.feed.cursor(0)} {
			reply := read(t, e, &pb.ReadRecordsRequest{Cursor: cursor, WaitMs: 1000})
			if !reply.GetGap() || places(reply.GetRecords()) != "a/1 " {
				t.Errorf("cursor %x: gap %v, %s", cursor, reply.GetGap(), places(reply.GetRecords()))
			}
		}
	})
}

func TestAWaitingReaderIsWokenByTheFirstRecord(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		go func() {
			time.Sleep(3 * time.Second)
			create(t, e, "a")
		}()
		started := time.Now()
		reply := read(t, e, &pb.ReadRecordsRequest{WaitMs: 30_000})
		if len(reply.GetRecords()) != 1 || time.Since(started) != 3*time.Second {
			t.Errorf("%d records after %v", len(reply.GetRecords()), time.Since(started))
		}
	})
}

func TestAWaitEndsInItsTimeOrJustBeforeTheDeadline(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		started := time.Now()
		if reply := read(t, e, &pb.ReadRecordsRequest{WaitMs: 2000}); len(reply.GetCursor()) == 0 || time.Since(started) != 2*time.Second {
			t.Errorf("after %v: %v", time.Since(started), reply)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := e.ReadRecords(ctx, &pb.ReadRecordsRequest{MaxRecords: 1, WaitMs: 2000}); err != nil {
			t.Errorf("a wait longer than the deadline: %v", err)
		}
	})
}

func TestAWaitingReaderWhoLeavesIsAnsweredAtOnce(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		time.AfterFunc(time.Second, cancel)
		started := time.Now()
		_, err := e.ReadRecords(ctx, &pb.ReadRecordsRequest{MaxRecords: 1, WaitMs: 30_000})
		wantCode(t, err, codes.Canceled)
		if time.Since(started) != time.Second {
			t.Errorf("after %v", time.Since(started))
		}
	})
}

func TestTooManyWaitingReadersAreRefused(t *testing.T) {
	config := auto()
	config.Limits.FeedWaiters = 1
	inBubble(t, config, func(t *testing.T, e *Engine) {
		waited := make(chan struct{})
		go func() {
			defer close(waited)
			read(t, e, &pb.ReadRecordsRequest{WaitMs: 5000})
		}()
		synctest.Wait()
		_, err := e.ReadRecords(t.Context(), &pb.ReadRecordsRequest{MaxRecords: 1, WaitMs: 10})
		wantCode(t, err, codes.ResourceExhausted)
		if _, err := e.ReadRecords(t.Context(), &pb.ReadRecordsRequest{MaxRecords: 1}); err != nil {
			t.Errorf("a read that does not wait: %v", err)
		}
		<-waited
	})
}

func TestClosingEndsTheWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(auto())
		waited := make(chan time.Duration)
		go func() {
			started := time.Now()
			read(t, e, &pb.ReadRecordsRequest{WaitMs: 30_000})
			waited <- time.Since(started)
		}()
		synctest.Wait()
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if d := <-waited; d != 0 {
			t.Errorf("after %v", d)
		}
	})
}

func TestEvery256thRecordCarriesTheDigest(t *testing.T) {
	inBubble(t, auto(), func(t *testing.T, e *Engine) {
		create(t, e, "a")
		for i := range uint64(600) {
			apply(t, e, join("a", 1, i+1))
		}
		for _, r := range read(t, e, &pb.ReadRecordsRequest{}).GetRecords() {
			if want := r.GetSequence() == 1 || r.GetSequence()%256 == 0; (r.GetDigest() != 0) != want {
				t.Errorf("sequence %d has digest %x", r.GetSequence(), r.GetDigest())
			}
		}
	})
}
