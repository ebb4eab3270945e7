package router

import (
	"context"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
)

// feedGrace is how long a side that has records waits for the other, so that a slow
// one does not hold it up, nor a quick one shut it out.
const feedGrace = 20 * time.Millisecond

// ReadRecords implements [playerstate.Feeder]: both feeds as one. Each hunt's
// records stay in their order; between hunts there is none. While a side is away
// its place in the cursor is held, its records are not in behind, and the other's
// go on (router_feed_held_total counts it); it fails only when both do.
func (r *Router) ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	if failure := r.enter(); failure != nil {
		return nil, failure
	}
	defer r.gate.Leave()
	if failure := playerstate.CheckReadRecords(req); failure != nil {
		return nil, failure
	}
	ctx, cancel := bounded(ctx, time.Duration(req.GetWaitMs())*time.Millisecond+playerstate.DefaultTimeout)
	defer cancel()
	stop := context.AfterFunc(r.life, cancel) // a router that closes does not wait for records
	defer stop()

	at, known := decodeCursor(req.GetCursor())
	m := &merge{router: r, req: req, at: at, gap: !known}
	return m.read(ctx)
}

// merge is one read of both feeds. Not safe for concurrent use.
type merge struct {
	router *Router
	req    *pb.ReadRecordsRequest
	at     cursor
	gap    bool
}

// read looks at both sides without waiting, and where neither has a record waits
// at both for the first.
func (m *merge) read(ctx context.Context) (*pb.ReadRecordsResponse, error) {
	began := time.Now()
	looked, err := m.look(ctx)
	if err != nil {
		return nil, err
	}
	resp := m.join(looked)
	left := time.Duration(m.req.GetWaitMs())*time.Millisecond - time.Since(began)
	if len(resp.Records) > 0 || resp.Gap || left <= 0 {
		return resp, nil
	}
	if waited := m.wait(ctx, looked, left); len(waited) > 0 {
		return m.join(waited), nil
	}
	return resp, nil
}

// look asks both sides for what they have. Once one has something to show, the other
// gets feedGrace. A side that did not answer is held where it is; the error is for
// when none did.
func (m *merge) look(ctx context.Context) (answered []page, failed error) {
	ctx, cancel := context.WithTimeout(ctx, playerstate.DefaultTimeout)
	defer cancel()
	var grace *time.Timer // runs from the first page that shows something
	for p := range m.ask(ctx, m.sides(), 0) {
		if p.err != nil {
			p.from.metrics.feedHeld.Inc()
			failed = p.err
			continue
		}
		answered = append(answered, p)
		if p.shows() && grace == nil {
			grace = time.AfterFunc(feedGrace, cancel)
		}
	}
	if grace != nil {
		grace.Stop()
	}
	if len(answered) > 0 {
		return answered, nil
	}
	return nil, failed
}

// wait waits for the first side that has something to show, at those that answered
// just now. The others' waiting ends with it. One that fails now is only waited for
// no longer.
func (m *merge) wait(ctx context.Context, looked []page, left time.Duration) (answered []page) {
	ctx, cancel := context.WithTimeout(ctx, left+playerstate.DefaultTimeout)
	defer cancel()
	sides := make([]*engine, len(looked))
	for i, p := range looked {
		sides[i] = p.from
	}
	for p := range m.ask(ctx, sides, uint32(left.Milliseconds())) {
		if p.err == nil {
			answered = append(answered, p)
			if p.shows() {
				cancel()
			}
		}
	}
	return answered
}

// page is what one side answered.
type page struct {
	from *engine
	resp *pb.ReadRecordsResponse
	err  error
}

// shows says that a reader should see it now.
func (p page) shows() bool { return len(p.resp.GetRecords()) > 0 || p.resp.GetGap() }

func (m *merge) sides() []*engine {
	if m.router.legacy.feeder == nil {
		return []*engine{m.router.sidecar}
	}
	return []*engine{m.router.legacy, m.router.sidecar}
}

// ask asks sides at the same time, and gives their pages as they come. It ends when
// all have answered, which they do within ctx.
func (m *merge) ask(ctx context.Context, sides []*engine, waitMs uint32) <-chan page {
	pages := make(chan page, len(sides)) // room for all: no side waits for the reader
	var asking sync.WaitGroup
	for _, side := range sides {
		asking.Go(func() {
			req := proto.CloneOf(m.req)
			req.Cursor, req.WaitMs = *m.place(side), waitMs
			resp, err := side.readRecords(ctx, req)
			pages <- page{from: side, resp: resp, err: err}
		})
	}
	go func() {
		asking.Wait()
		close(pages)
	}()
	return pages
}

// place is where in side's own feed the merged one stands.
func (m *merge) place(side *engine) *[]byte {
	if side.owner == ledger.Sidecar {
		return &m.at.sidecar
	}
	return &m.at.legacy
}

// join makes one page of several, and moves past what is in it. What does not fit
// stays, and comes first the next time.
func (m *merge) join(pages []page) *pb.ReadRecordsResponse {
	out := &pb.ReadRecordsResponse{Gap: m.gap}
	for _, p := range m.inTurn(pages) {
		if !m.fits(out, p.resp) {
			out.Behind += uint64(len(p.resp.GetRecords()))
			m.at.sidecarsTurn = p.from.owner == ledger.Sidecar
		} else {
			out.Records = append(out.Records, p.resp.GetRecords()...)
			out.Gap = out.Gap || p.resp.GetGap()
			*m.place(p.from) = p.resp.GetCursor()
		}
		out.Behind += p.resp.GetBehind()
	}
	out.Cursor = m.at.encode()
	return out
}

// inTurn puts the side first whose turn it is.
func (m *merge) inTurn(pages []page) []page {
	slices.SortFunc(pages, func(a, b page) int {
		if a.from.owner == b.from.owner {
			return 0
		}
		if (a.from.owner == ledger.Sidecar) == m.at.sidecarsTurn {
			return -1
		}
		return 1
	})
	return pages
}

// fits says that more goes into a reply which asks for so many records and bytes.
func (m *merge) fits(out, more *pb.ReadRecordsResponse) bool {
	if len(out.Records) == 0 || len(more.GetRecords()) == 0 {
		return true
	}
	bytesMax := int(m.req.GetMaxBytes())
	if bytesMax == 0 {
		bytesMax = playerstate.DefaultReadBytes
	}
	return len(out.Records)+len(more.GetRecords()) <= int(m.req.GetMaxRecords()) &&
		proto.Size(out)+proto.Size(more) <= bytesMax
}

// GetRecord implements [playerstate.Feeder], from the hunt's owner, also when the
// hunt has ended.
func (r *Router) GetRecord(ctx context.Context, req *pb.GetRecordRequest) (*pb.GetRecordResponse, error) {
	return read(ctx, r, req.GetHuntId(), playerstate.CheckGetRecord(req), func(ctx context.Context, e *ledger.Entry) (*pb.GetRecordResponse, error) {
		owner := r.engine(e.Owner)
		if owner.feeder == nil {
			return nil, playerstate.NotApplied(codes.Unimplemented, "hunt %q belongs to the %s engine, which has no feed here", e.HuntID, e.Owner)
		}
		return owner.getRecord(ctx, req)
	})
}
