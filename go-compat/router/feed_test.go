package router

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// reader pulls the merged feed and checks each hunt's order.
type reader struct {
	b      *bench
	cursor []byte
	last   map[string]uint64
	gaps   int
}

func (b *bench) reader() *reader { return &reader{b: b, last: map[string]uint64{}} }

func (r *reader) read(records uint32, wait time.Duration) *pb.ReadRecordsResponse {
	r.b.t.Helper()
	resp, err := r.b.ReadRecords(context.Background(), &pb.ReadRecordsRequest{
		Cursor: r.cursor, MaxRecords: records, WaitMs: uint32(wait.Milliseconds()),
	})
	if err != nil {
		r.b.t.Fatal(err)
	}
	for _, record := range resp.GetRecords() {
		if record.GetSequence() != r.last[record.GetHuntId()]+1 {
			r.b.t.Fatalf("%s: %d follows %d", record.GetHuntId(), record.GetSequence(), r.last[record.GetHuntId()])
		}
		r.last[record.GetHuntId()] = record.GetSequence()
	}
	if resp.GetGap() {
		r.gaps++
	}
	r.cursor = resp.GetCursor()
	return resp
}

func (b *bench) play(huntID string, commands int) {
	b.t.Helper()
	ctx, cancel := inTime()
	defer cancel()
	for range commands {
		if outcome, err := b.Apply(ctx, join(huntID)); err != nil || describe(outcome) != "applied" {
			b.t.Errorf("%s: %v, %v", huntID, outcome, err)
		}
	}
}

func TestTheMergedFeedShowsBothSidesOnceAndStarvesNone(t *testing.T) {
	b := newBench(t, 0)
	atGo, atSidecar := b.split()
	b.play(atGo, 99)
	b.play(atSidecar, 99)
	for _, page := range []uint32{1, 7, 100, 150, 10_000} {
		r := b.reader()
		first := r.read(page, 0)
		if got, want := int(first.GetBehind())+len(first.GetRecords()), 200; got != want {
			t.Errorf("page %d: %d records and %d behind; want %d in all", page, len(first.GetRecords()), first.GetBehind(), want)
		}
		for pages := 0; ; pages++ {
			resp := r.read(page, 0)
			if len(resp.GetRecords()) > int(page) {
				t.Fatalf("a page of %d; at most %d were asked for", len(resp.GetRecords()), page)
			}
			if resp.GetBehind() == 0 && len(resp.GetRecords()) == 0 {
				break
			}
			if ahead := int(r.last[atGo]) - int(r.last[atSidecar]); ahead > 2*int(page) || ahead < -2*int(page) {
				t.Fatalf("page %d: one side is %d records ahead", page, ahead)
			}
		}
		if r.last[atGo] != 100 || r.last[atSidecar] != 100 || r.gaps != 0 {
			t.Errorf("page %d: read to %d and %d, %d gaps", page, r.last[atGo], r.last[atSidecar], r.gaps)
		}
	}
}

func TestASideThatIsAwayIsHeldAndTheOthersRecordsGoOn(t *testing.T) {
	for name, strike := range map[string]func(*peer){
		"away":   func(p *peer) { p.Fail(away) },
		"frozen": func(p *peer) { p.Hold() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 0, func(t *testing.T, b *bench) {
				atGo, atSidecar := b.split()
				b.play(atGo, 5)
				b.play(atSidecar, 5)
				strike(b.sidecar)
				r := b.reader()
				began := time.Now()
				if got := len(r.read(100, 0).GetRecords()); got != 6 {
					t.Errorf("%d records while one side is away; want 6", got)
				}
				if took := time.Since(began); took > feedGrace {
					t.Errorf("the side that is away held the other up for %s", took)
				}
				if got := gaugeOf(t, b, metricFeedHeld, "sidecar"); got != 1 {
					t.Errorf("held %v times", got)
				}
				b.sidecar.Heal()
				if r.read(100, 0); r.last[atSidecar] != 6 || r.gaps != 0 {
					t.Errorf("after it is back: to %d, %d gaps", r.last[atSidecar], r.gaps)
				}
				strike(b.legacy)
				strike(b.sidecar)
				if _, err := b.ReadRecords(t.Context(), &pb.ReadRecordsRequest{MaxRecords: 1}); err == nil {
					t.Error("both are away, and it is no error")
				}
			})
		})
	}
}

func TestAReaderThatWaitsGetsTheFirstRecordOfEitherSideAtOnce(t *testing.T) {
	for _, percent := range []float64{0, 100} {
		t.Run(fmt.Sprint(percent), func(t *testing.T) {
			inBubble(t, percent, func(t *testing.T, b *bench) {
				r := b.reader()
				time.AfterFunc(3*time.Second, func() { b.mustCreate("h") })
				began := time.Now()
				if got := len(r.read(10, 10*time.Second).GetRecords()); got != 1 {
					t.Errorf("%d records", got)
				}
				if took := time.Since(began); took != 3*time.Second {
					t.Errorf("after %s", took)
				}
				began = time.Now()
				if got := len(r.read(10, 2*time.Second).GetRecords()); got != 0 || time.Since(began) != 2*time.Second {
					t.Errorf("%d records after %s; want none after 2 s", got, time.Since(began))
				}
			})
		})
	}
}

func TestACursorThatIsNotOfThisFeedReadsFromTheOldestWithAGap(t *testing.T) {
	b := newBench(t, 0)
	b.mustCreate("h")
	for _, cursor := range []string{"1", "R", "R\x01\x02\x00\x00", "R\x02\x00\x00\x00", "R\x01\x00\x05ab\x00", "R\x01\x00\x00\x00x", "\xff\xff\xff\xff"} {
		r := b.reader()
		r.cursor = []byte(cursor)
		if resp := r.read(10, 0); !resp.GetGap() || len(resp.GetRecords()) != 1 {
			t.Errorf("cursor %q: gap %t, %d records", cursor, resp.GetGap(), len(resp.GetRecords()))
		}
		if r.read(10, 0).GetGap() {
			t.Errorf("cursor %q: the gap is told twice", cursor)
		}
	}
	r := b.reader()
	r.read(10, 0)
	b.legacy.Restart() // one side began anew: its own gap comes through
	b.flag.set(t, 100)
	b.mustCreate("other")
	if resp := r.read(10, 0); !resp.GetGap() {
		t.Error("the gap of one side is not told")
	}
}

func TestARecordComesFromTheHuntsOwnerAlsoAfterItsEnd(t *testing.T) {
	b := newBench(t, 0)
	atGo, atSidecar := b.split()
	if _, err := b.EndHunt(t.Context(), &pb.EndHuntRequest{HuntId: atSidecar}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{atGo, atSidecar} {
		resp, err := b.GetRecord(t.Context(), &pb.GetRecordRequest{HuntId: id, Sequence: 1})
		if err != nil || resp.GetRecord().GetHuntId() != id {
			t.Errorf("%s: %v, %v", id, resp, err)
		}
	}
	_, err := b.GetRecord(t.Context(), &pb.GetRecordRequest{HuntId: "nobody-has-it", Sequence: 1})
	wantCode(t, err, codes.NotFound)
}

func TestARouterThatClosesDoesNotWaitForReaders(t *testing.T) {
	inBubble(t, 0, func(t *testing.T, b *bench) {
		answered := make(chan time.Duration)
		began := time.Now()
		go func() {
			_, _ = b.ReadRecords(context.Background(), &pb.ReadRecordsRequest{MaxRecords: 1, WaitMs: 30_000})
			answered <- time.Since(began)
		}()
		synctest.Wait()
		go b.stop()
		if took := <-answered; took > time.Second {
			t.Errorf("after %s", took)
		}
		synctest.Wait()
	})
}
