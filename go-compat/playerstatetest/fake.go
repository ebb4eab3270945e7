package playerstatetest

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy"
	"treasurehunt.example/go-compat/playerstate"
)

// Fake is an engine in the hand of a test. It is safe for concurrent use.
type Fake struct {
	t      testing.TB
	clock  legacy.Clock
	config legacy.Config
	wire   wire

	mu     sync.Mutex     // guards what follows; never held over a call
	engine *legacy.Engine // nil: it is killed
	hunts  []string       // that were created since it began
	faults []*fault
	calls  map[Method]int
}

var (
	_ playerstate.Engine = (*Fake)(nil)
	_ playerstate.Mover  = (*Fake)(nil)
)

// Option changes how a fake is made.
type Option func(*Fake)

// ClaimedByRouter makes a fake that takes hunts from a router, at the router's
// epochs. Without it the fake claims hunts by itself, as services without a router
// need it.
func ClaimedByRouter() Option {
	return func(f *Fake) { f.config.Claim = legacy.ClaimRouter }
}

// OnSystemClock makes a fake whose time passes by itself: the machine's, or that of
// a synctest bubble.
func OnSystemClock() Option {
	return func(f *Fake) { f.clock = legacy.SystemClock() }
}

// New starts a fake without hunts. It ends with the test.
func New(t testing.TB, options ...Option) *Fake {
	t.Helper()
	f := &Fake{
		t:      t,
		clock:  &handClock{},
		config: legacy.Config{Claim: legacy.ClaimAuto, Logger: slog.New(slog.DiscardHandler)},
		calls:  map[Method]int{},
	}
	for _, option := range options {
		option(f)
	}
	f.config.Clock = f.clock
	f.engine = legacy.New(f.config)
	t.Cleanup(func() {
		f.Heal()
		f.wire.stop()
		if err := f.Close(context.Background()); err != nil {
			t.Errorf("playerstatetest: %v", err)
		}
	})
	return f
}

// Restart is a process that died and came back: connections are cut, and its hunts
// are gone with it. Faults stay.
func (f *Fake) Restart() {
	f.t.Helper()
	f.Kill()
	f.mu.Lock()
	f.engine = legacy.New(f.config)
	f.mu.Unlock()
	f.wire.up()
}

// Recover is a process that died and came back with all that it had answered, as one
// that keeps a journal: connections are cut, and its hunts are RECOVERED, which
// refuse all calls until a router claims them. Faults stay.
func (f *Fake) Recover() {
	f.t.Helper()
	f.wire.down()
	if engine, _ := f.running(); engine != nil {
		if err := engine.Recover(context.Background()); err != nil {
			f.t.Errorf("playerstatetest: %v", err)
		}
	}
	f.wire.up()
}

// Kill is a process that died: connections are cut and refused, and every call
// fails, until Restart.
func (f *Fake) Kill() {
	f.t.Helper()
	f.wire.down()
	if err := f.Close(context.Background()); err != nil {
		f.t.Errorf("playerstatetest: %v", err)
	}
}

// Close implements [playerstate.Engine]. Its hunts are gone with it.
func (f *Fake) Close(ctx context.Context) error {
	f.mu.Lock()
	engine := f.engine
	f.engine, f.hunts = nil, nil
	f.mu.Unlock()
	if engine == nil {
		return nil
	}
	return engine.Close(ctx)
}

// Has says whether the fake has a hunt, running or ended.
func (f *Fake) Has(huntID string) bool {
	engine, _ := f.running()
	if engine == nil {
		return false
	}
	_, err := engine.GetHunt(context.Background(), &pb.GetHuntRequest{HuntId: huntID})
	return err == nil
}

// Calls is how many calls of a method have come, those that a fault met included.
func (f *Fake) Calls(method Method) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

// running gives the engine, or nil while it is killed, and its hunts.
func (f *Fake) running() (*legacy.Engine, []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.engine, f.hunts[:len(f.hunts):len(f.hunts)]
}

func away() *playerstate.Failure {
	return playerstate.NotApplied(codes.Unavailable, "the fake is closed or killed")
}
