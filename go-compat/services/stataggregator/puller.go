package stataggregator

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/services/stataggregator/store"
	"treasurehunt.example/go-compat/services/stataggregator/tally"
)

const retryFirst = 100 * time.Millisecond

// storeMax bounds what the store may take at once, so that one that hangs is told
// of as one that fails. It has limits of its own below that, which say more.
const storeMax = 30 * time.Second

// alarmsLogged bounds the alarms of one page that are logged one by one: a feed
// that lost records has a hole in every hunt.
const alarmsLogged = 8

// reader is the one call that is made of a feed.
type reader interface {
	ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest, options ...grpc.CallOption) (*pb.ReadRecordsResponse, error)
}

// puller reads one feed and counts what it reads. Run it once; state may be
// called at any time.
type puller struct {
	feed    string
	reader  reader
	config  Config
	store   store.Store
	ready   Readiness
	log     *slog.Logger
	metrics *metrics
	pauses  backoff.BackOff

	mu  sync.Mutex // never held over a call or a transaction
	now state      // guarded by mu
}

// state is how a feed is doing.
type state struct {
	up        bool // its last read was answered
	behind    uint64
	failure   string // of the last read or count that failed; stays until it is well again
	failureAt time.Time
}

func newPuller(feed string, reader reader, config Config, counted store.Store, ready Readiness, log *slog.Logger, metrics *metrics) *puller {
	pauses := backoff.NewExponentialBackOff() // with jitter, so that feeds do not come back in step
	pauses.InitialInterval, pauses.MaxInterval = min(retryFirst, config.RetryMax), config.RetryMax
	metrics.addFeed(feed)
	return &puller{
		feed: feed, reader: reader, config: config, store: counted, ready: ready,
		log: log.With("feed", feed), metrics: metrics, pauses: pauses,
	}
}

// run reads until ctx is over.
func (p *puller) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, p.turn(ctx))
	}
}

func pause(ctx context.Context, long time.Duration) {
	if long <= 0 {
		return
	}
	timer := time.NewTimer(long)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// turn reads and counts once, and tells how long to pause.
func (p *puller) turn(ctx context.Context) time.Duration {
	began := time.Now()
	// The cursor is asked of the store each time: it alone knows what was kept.
	cursor, err := p.cursor(ctx)
	if err != nil {
		return p.storeFailed(ctx, err)
	}
	answer, err := p.read(ctx, cursor)
	if err != nil {
		return p.readFailed(ctx, err)
	}
	if len(answer.GetRecords()) > 0 || answer.GetGap() || string(answer.GetCursor()) != string(cursor) {
		if err := p.count(ctx, answer); err != nil {
			return p.storeFailed(ctx, err)
		}
	}
	p.well(answer.GetBehind())
	if answer.GetBehind() > 0 && len(answer.GetRecords()) > 0 {
		return 0
	}
	return p.config.PullEvery - time.Since(began)
}

func (p *puller) cursor(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, storeMax)
	defer cancel()
	return p.store.Cursor(ctx, p.feed)
}

func (p *puller) read(ctx context.Context, cursor []byte) (*pb.ReadRecordsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, p.config.Wait+callSlack)
	defer cancel()
	return p.reader.ReadRecords(ctx, &pb.ReadRecordsRequest{
		Cursor: cursor, MaxRecords: uint32(p.config.PageMax), WaitMs: uint32(p.config.Wait.Milliseconds()),
	})
}

func (p *puller) count(ctx context.Context, answer *pb.ReadRecordsResponse) error {
	ctx, cancel := context.WithTimeout(ctx, storeMax)
	defer cancel()
	began := time.Now()
	page, err := p.store.Count(ctx, p.feed, answer)
	if err != nil {
		return err
	}
	p.metrics.counted(page, time.Since(began))
	p.tell(page.Alarms)
	return nil
}

// tell logs a page's alarms.
func (p *puller) tell(alarms []tally.Alarm) {
	for _, alarm := range alarms[:min(len(alarms), alarmsLogged)] {
		p.log.Error("alarm", "kind", alarm.Kind, "hunt", alarm.Hunt, "sequence", alarm.Sequence, "text", alarm.Text)
	}
	if more := len(alarms) - alarmsLogged; more > 0 {
		p.log.Error("more alarms of the same page: the API's /v1/alarms lists them", "more", more)
	}
}

// well notes a turn that went through.
func (p *puller) well(behind uint64) {
	p.pauses.Reset()
	p.ready.Set(p.part(), "")
	p.metrics.feedUp(p.feed, behind)
	p.mu.Lock()
	was := p.now
	p.now = state{up: true, behind: behind}
	p.mu.Unlock()
	if was.failure != "" {
		p.log.Info("the feed is read again", "behind", behind)
	}
}

// readFailed notes a feed that is away.
func (p *puller) readFailed(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	p.metrics.feedDown(p.feed, status.Code(err))
	return p.failed("read", err)
}

// part is what readiness calls the counting of this feed: one that has nothing to
// count must not say that all is well for one that cannot.
func (p *puller) part() string { return "store for " + p.feed }

// storeFailed notes that nothing of this feed can be kept.
func (p *puller) storeFailed(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return 0
	}
	p.ready.Set(p.part(), err.Error())
	p.metrics.storeFailures.Inc()
	return p.failed("store", err)
}

func (p *puller) failed(doing string, err error) time.Duration {
	wait := p.pauses.NextBackOff()
	p.mu.Lock()
	news := p.now.failure == ""
	p.now.up = p.now.up && doing != "read"
	p.now.failure, p.now.failureAt = doing+": "+err.Error(), time.Now()
	p.mu.Unlock()
	if news { // once, not at each try; the metrics count them
		p.log.Warn("the feed is not counted for now", "doing", doing, "error", err)
	}
	return wait
}

func (p *puller) state() state {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}
