package router

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/rollout"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeEngine is an engine that only counts: each command for a hunt it has is
// applied. Its faults are set by the test. Safe for concurrent use.
type fakeEngine struct {
	mu     sync.Mutex
	hunts  map[string]*fakeHunt
	record []*pb.Record
	news   chan struct{} // closed and made anew when a record comes

	// fault is asked before each call; an error is the call's answer.
	fault atomic.Pointer[func(ctx context.Context, m method, huntID string) error]
	// afterCreate is asked when a hunt was created and is not yet answered.
	afterCreate atomic.Pointer[func() error]

	creates atomic.Int64
	closed  atomic.Bool
}

type fakeHunt struct {
	settings *pb.HuntSettings
	answer   *pb.CreateHuntResponse
	ended    bool
	applied  uint64
}

func newFake() *fakeEngine {
	return &fakeEngine{hunts: map[string]*fakeHunt{}, news: make(chan struct{})}
}

var _ playerstate.Engine = (*fakeEngine)(nil)

func (f *fakeEngine) setFault(fault func(ctx context.Context, m method, huntID string) error) {
	f.fault.Store(&fault)
}

func (f *fakeEngine) setAfterCreate(after func() error) { f.afterCreate.Store(&after) }

func (f *fakeEngine) heal() {
	f.fault.Store(nil)
	f.afterCreate.Store(nil)
}

// away is a peer that is not there.
func away(context.Context, method, string) error {
	return playerstate.NotApplied(codes.Unavailable, "connection refused")
}

// cutOff is a connection that broke with the call under way.
func cutOff(context.Context, method, string) error {
	return playerstate.Unknown(codes.Unavailable, "EOF")
}

// frozen is a peer that takes calls and answers none.
func frozen(ctx context.Context, _ method, _ string) error {
	<-ctx.Done()
	return playerstate.Unknown(codes.DeadlineExceeded, "no answer")
}

func (f *fakeEngine) enter(ctx context.Context, m method, huntID string) error {
	if fault := f.fault.Load(); fault != nil {
		return (*fault)(ctx, m, huntID)
	}
	return nil
}

// forget is a restart without a journal.
func (f *fakeEngine) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.hunts)
	f.record = nil
}

func (f *fakeEngine) has(huntID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hunts[huntID] != nil
}

func (f *fakeEngine) CreateHunt(ctx context.Context, req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	if err := f.enter(ctx, methodCreateHunt, req.GetHuntId()); err != nil {
		return nil, err
	}
	f.creates.Add(1)
	answer, err := f.create(req)
	if after := f.afterCreate.Load(); err == nil && after != nil {
		err = (*after)()
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func (f *fakeEngine) create(req *pb.CreateHuntRequest) (*pb.CreateHuntResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h := f.hunts[req.GetHuntId()]; h != nil {
		if !proto.Equal(h.settings, req.GetSettings()) {
			return nil, playerstate.NotApplied(codes.AlreadyExists, "other settings")
		}
		return h.answer, nil
	}
	h := &fakeHunt{
		settings: proto.CloneOf(req.GetSettings()),
		answer:   &pb.CreateHuntResponse{Epoch: req.GetEpoch(), StartsAtMs: time.Now().UnixMilli()},
	}
	f.hunts[req.GetHuntId()] = h
	f.append(&pb.Record{HuntId: req.GetHuntId(), Epoch: req.GetEpoch(), Sequence: 1})
	return h.answer, nil
}

func (f *fakeEngine) append(record *pb.Record) {
	f.record = append(f.record, record)
	close(f.news)
	f.news = make(chan struct{})
}

func (f *fakeEngine) hunt(huntID string) (*fakeHunt, error) {
	if h := f.hunts[huntID]; h != nil {
		return h, nil
	}
	return nil, playerstate.NotApplied(codes.NotFound, "no such hunt")
}

func (f *fakeEngine) EndHunt(ctx context.Context, req *pb.EndHuntRequest) (*pb.EndHuntResponse, error) {
	if err := f.enter(ctx, methodEndHunt, req.GetHuntId()); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h, err := f.hunt(req.GetHuntId())
	if err != nil {
		return nil, err
	}
	h.ended = true
	return &pb.EndHuntResponse{}, nil
}

func (f *fakeEngine) GetHunt(ctx context.Context, req *pb.GetHuntRequest) (*pb.GetHuntResponse, error) {
	if err := f.enter(ctx, methodGetHunt, req.GetHuntId()); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h, err := f.hunt(req.GetHuntId())
	if err != nil {
		return nil, err
	}
	endsAt := h.answer.GetStartsAtMs() + int64(h.settings.GetDurationMs())
	return &pb.GetHuntResponse{
		Settings: h.settings, StartsAtMs: h.answer.GetStartsAtMs(), EndsAtMs: endsAt, Epoch: h.answer.GetEpoch(),
		Sequence: h.applied + 1, Ended: h.ended || time.Now().UnixMilli() >= endsAt,
	}, nil
}

func (f *fakeEngine) GetPlayer(ctx context.Context, req *pb.GetPlayerRequest) (*pb.GetPlayerResponse, error) {
	if err := f.enter(ctx, methodGetPlayer, req.GetHuntId()); err != nil {
		return nil, err
	}
	return nil, playerstate.NotApplied(codes.NotFound, "no such player")
}

func (f *fakeEngine) Apply(ctx context.Context, cmd *pb.Command) (*pb.Outcome, error) {
	if err := f.enter(ctx, methodApply, cmd.GetHuntId()); err != nil {
		return nil, err
	}
	return f.apply(cmd), nil
}

func (f *fakeEngine) ApplyBatch(ctx context.Context, cmds []*pb.Command) ([]*pb.Outcome, error) {
	if err := f.enter(ctx, methodApplyBatch, ""); err != nil {
		return nil, err
	}
	outcomes := make([]*pb.Outcome, len(cmds))
	for i, cmd := range cmds {
		outcomes[i] = f.apply(cmd)
	}
	return outcomes, nil
}

func (f *fakeEngine) apply(cmd *pb.Command) *pb.Outcome {
	if field := playerstate.MalformedField(cmd); field != "" {
		return playerstate.InvalidOutcome(cmd.GetRequestId(), field)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.hunts[cmd.GetHuntId()]
	if h == nil {
		return playerstate.Refused(cmd.GetRequestId(), &pb.Refusal{Reason: pb.Refusal_REASON_UNKNOWN_HUNT})
	}
	if cmd.GetEpoch() != h.answer.GetEpoch() {
		return playerstate.Refused(cmd.GetRequestId(), &pb.Refusal{Reason: pb.Refusal_REASON_STALE_EPOCH})
	}
	h.applied++
	f.append(&pb.Record{HuntId: cmd.GetHuntId(), Epoch: cmd.GetEpoch(), Sequence: h.applied + 1})
	return &pb.Outcome{RequestId: cmd.GetRequestId(), Verdict: pb.Verdict_VERDICT_APPLIED, Epoch: cmd.GetEpoch(), Sequence: h.applied + 1}
}

// ReadRecords reads from a cursor that is a decimal place in the feed.
func (f *fakeEngine) ReadRecords(ctx context.Context, req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, error) {
	if err := f.enter(ctx, methodReadRecords, req.GetHuntId()); err != nil {
		return nil, err
	}
	wait := time.NewTimer(time.Duration(req.GetWaitMs()) * time.Millisecond)
	defer wait.Stop()
	for {
		resp, news := f.read(req)
		if len(resp.Records) > 0 || req.GetWaitMs() == 0 {
			return resp, nil
		}
		select {
		case <-news:
		case <-wait.C:
			return resp, nil
		case <-ctx.Done():
			return nil, playerstate.NotApplied(codes.Canceled, "left")
		}
	}
}

func (f *fakeEngine) read(req *pb.ReadRecordsRequest) (*pb.ReadRecordsResponse, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	from, err := strconv.Atoi(string(req.GetCursor()))
	gap := err != nil && len(req.GetCursor()) > 0
	if from > len(f.record) {
		from, gap = 0, true
	}
	to := min(len(f.record), from+int(req.GetMaxRecords()))
	return &pb.ReadRecordsResponse{
		Records: f.record[from:to], Cursor: []byte(strconv.Itoa(to)), Gap: gap, Behind: uint64(len(f.record) - to),
	}, f.news
}

func (f *fakeEngine) GetRecord(ctx context.Context, req *pb.GetRecordRequest) (*pb.GetRecordResponse, error) {
	if err := f.enter(ctx, methodGetRecord, req.GetHuntId()); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, record := range f.record {
		if record.GetHuntId() == req.GetHuntId() && record.GetSequence() == req.GetSequence() {
			return &pb.GetRecordResponse{Record: record}, nil
		}
	}
	return nil, playerstate.NotApplied(codes.NotFound, "not kept")
}

func (f *fakeEngine) Close(context.Context) error {
	f.closed.Store(true)
	return nil
}

// fakeFlag is a percentage that the test sets.
type fakeFlag struct{ percent atomic.Uint32 }

func (f *fakeFlag) Percent() rollout.Percent { return rollout.Percent(f.percent.Load()) }

func (f *fakeFlag) set(t testing.TB, percent float64) {
	t.Helper()
	p, err := rollout.ParsePercent(percent)
	if err != nil {
		t.Fatal(err)
	}
	f.percent.Store(uint32(p))
}

// bench is a router over two fakes.
type bench struct {
	*Router
	t       testing.TB
	legacy  *fakeEngine
	sidecar *fakeEngine
	flag    *fakeFlag
	config  Config
}

func newBench(t testing.TB, percent float64) *bench {
	t.Helper()
	b := &bench{t: t, legacy: newFake(), sidecar: newFake(), flag: &fakeFlag{}}
	b.flag.set(t, percent)
	b.config = Config{
		Legacy: b.legacy, Sidecar: b.sidecar, Rollout: b.flag,
		LedgerPath: filepath.Join(t.TempDir(), "ledger.db"),
		Logger:     slog.New(slog.DiscardHandler),
	}
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

func (b *bench) start() {
	b.t.Helper()
	router, err := New(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Router = router
}

func (b *bench) stop() {
	if err := b.Router.Close(context.Background()); err != nil {
		b.t.Errorf("close: %v", err)
	}
}

// restart is another router on the same ledger. The Go engine's hunts go with the
// process, the sidecar's stay.
func (b *bench) restart() {
	b.t.Helper()
	b.stop()
	b.legacy.forget()
	b.start()
}

func settings(seed uint64) *pb.HuntSettings {
	return &pb.HuntSettings{Seed: seed, Width: 16, Height: 16, Treasures: 8, MaxPlayers: 8, DurationMs: 600_000}
}

func (b *bench) create(huntID string) error {
	_, err := b.CreateHunt(context.Background(), &pb.CreateHuntRequest{HuntId: huntID, Settings: settings(1)})
	return err
}

func (b *bench) mustCreate(huntID string) {
	b.t.Helper()
	if err := b.create(huntID); err != nil {
		b.t.Errorf("create %s: %v", huntID, err)
	}
}

var requests = playerstate.NewRequestIDs()

func join(huntID string) *pb.Command {
	return &pb.Command{HuntId: huntID, PlayerId: 7, RequestId: requests.Next(), Action: &pb.Command_Join{Join: &pb.Join{}}}
}

// eventually waits for a condition that something else brings about.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("it never came to be that %s", what)
}

func wantCode(t testing.TB, err error, want codes.Code) {
	t.Helper()
	if got := codeOf(err); got != want {
		t.Fatalf("got %v (%v), want %v", got, err, want)
	}
}

func huntID(i int) string { return fmt.Sprintf("hunt-%d", i) }
