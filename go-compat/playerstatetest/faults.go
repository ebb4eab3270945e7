package playerstatetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// Method is a call of the seam.
type Method string

// The methods. ApplyBatch counts as Apply: the sidecar's client makes batches of both.
const (
	CreateHunt  Method = "CreateHunt"
	EndHunt     Method = "EndHunt"
	GetHunt     Method = "GetHunt"
	GetPlayer   Method = "GetPlayer"
	Apply       Method = "Apply"
	ReadRecords Method = "ReadRecords"
	GetRecord   Method = "GetRecord"
	Hello       Method = "Hello"
	ListHunts   Method = "ListHunts"
	Probe       Method = "Probe"
	Activate    Method = "Activate"
)

// Which narrows a fault down. Of several all must hold; without any it meets every
// call until [Fake.Heal].
type Which func(*scope)

// InHunt meets what is about a hunt. Of a batch it is enough that one command is.
func InHunt(huntID string) Which { return func(s *scope) { s.hunt = huntID } }

// OfPlayer meets what is about a player, likewise.
func OfPlayer(playerID uint64) Which { return func(s *scope) { s.player = playerID } }

// On meets the calls of a method.
func On(method Method) Which { return func(s *scope) { s.method = method } }

// Times ends the fault after it has met so many calls, or commands with Refuse.
func Times(n int) Which { return func(s *scope) { s.left = n } }

// scope is what a fault meets. The zero value of a field is any.
type scope struct {
	hunt   string
	player uint64
	method Method
	left   int // -1: without end
}

// subject is what a call, or one command of it, is about.
type subject struct {
	hunt   string
	player uint64
}

func (s *scope) meets(method Method, about subject) bool {
	return s.left != 0 &&
		(s.method == "" || s.method == method) &&
		(s.hunt == "" || s.hunt == about.hunt) &&
		(s.player == 0 || s.player == about.player)
}

func (s *scope) use() {
	if s.left > 0 {
		s.left--
	}
}

// fault is one order of the test. Exactly one of the first three is set.
type fault struct {
	scope
	refusal *pb.Refusal                                // of a command
	before  func(context.Context) *playerstate.Failure // of a call, before anything of it is done
	after   func(context.Context) *playerstate.Failure // of a call that was done
	end     func()                                     // releases what it holds
}

// order adds a fault, and takes away those that are used up and hold nothing.
func (f *Fake) order(made *fault, which []Which) {
	made.left = -1
	for _, narrow := range which {
		narrow(&made.scope)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = slices.DeleteFunc(f.faults, func(old *fault) bool { return old.left == 0 && old.end == nil })
	f.faults = append(f.faults, made)
}

// Refuse answers commands REFUSED for a reason, unapplied. The other commands of
// their batch are applied.
func (f *Fake) Refuse(reason pb.Refusal_Reason, which ...Which) {
	f.RefuseWith(&pb.Refusal{Reason: reason, Detail: "playerstatetest refuses it"}, which...)
}

// RefuseWith is Refuse for a refusal that says more: an owner, an epoch, when to
// try again.
func (f *Fake) RefuseWith(refusal *pb.Refusal, which ...Which) {
	f.order(&fault{refusal: proto.CloneOf(refusal)}, which)
}

// Fail fails calls before anything of them is done. Over the wire only the status
// goes out, so a client may know less of the command's fate than the failure says.
func (f *Fake) Fail(failure *playerstate.Failure, which ...Which) {
	f.order(&fault{before: func(context.Context) *playerstate.Failure { return failure }}, which)
}

// LoseAnswers lets calls be done, and fails them with codes.Unavailable: as when a
// connection breaks with the answer under way. What became of the commands the
// caller cannot know, until it asks again under the same request_id.
func (f *Fake) LoseAnswers(which ...Which) {
	f.order(&fault{after: func(context.Context) *playerstate.Failure {
		return playerstate.Unknown(codes.Unavailable, "the answer was lost on its way")
	}}, which)
}

// Hold makes calls wait before anything of them is done, until the test releases
// them or their context is over.
func (f *Fake) Hold(which ...Which) *Held {
	held := newHeld()
	f.order(&fault{before: held.wait, end: held.Release}, which)
	return held
}

// HoldAnswers makes calls wait that are done and not answered yet.
func (f *Fake) HoldAnswers(which ...Which) *Held {
	held := newHeld()
	f.order(&fault{after: held.wait, end: held.Release}, which)
	return held
}

// Heal ends every fault and releases what is held. Connections that are cut come
// back by themselves.
func (f *Fake) Heal() {
	f.mu.Lock()
	faults := f.faults
	f.faults = nil
	f.mu.Unlock()
	for _, old := range faults {
		if old.end != nil {
			old.end()
		}
	}
}

// meet counts a call and gives the faults that meet it as a whole.
func (f *Fake) meet(method Method, about []subject) (met []*fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[method]++
	for _, each := range f.faults {
		if each.refusal == nil && slices.ContainsFunc(about, func(a subject) bool { return each.meets(method, a) }) {
			each.use()
			met = append(met, each)
		}
	}
	return met
}

// refusalOf gives the refusal that was ordered for a command, or nil.
func (f *Fake) refusalOf(cmd *pb.Command) *pb.Refusal {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, each := range f.faults {
		if each.refusal != nil && each.meets(Apply, subject{hunt: cmd.GetHuntId(), player: cmd.GetPlayerId()}) {
			each.use()
			return each.refusal
		}
	}
	return nil
}

// Held is calls that wait for the test. It is safe for concurrent use.
type Held struct {
	release chan struct{}
	once    sync.Once

	mu      sync.Mutex // guards what follows
	arrived int
	news    chan struct{} // closed and made anew when a call arrives
}

func newHeld() *Held {
	return &Held{release: make(chan struct{}), news: make(chan struct{})}
}

// Release lets the calls go on, and holds no more.
func (h *Held) Release() { h.once.Do(func() { close(h.release) }) }

// Await returns when so many calls have arrived since Hold. It fails the test
// after 5 s.
func (h *Held) Await(t testing.TB, calls int) {
	t.Helper()
	late := time.NewTimer(5 * time.Second)
	defer late.Stop()
	for {
		arrived, news := h.state()
		if arrived >= calls {
			return
		}
		select {
		case <-news:
		case <-late.C:
			t.Fatalf("playerstatetest: of %d calls that were to be held, %d came within 5 s", calls, arrived)
		}
	}
}

func (h *Held) state() (arrived int, news <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.arrived, h.news
}

func (h *Held) arrive() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arrived++
	close(h.news)
	h.news = make(chan struct{})
}

// wait is the fault. A caller who leaves knows nothing: that is how a sidecar
// looks which does not answer.
func (h *Held) wait(ctx context.Context) *playerstate.Failure {
	h.arrive()
	select {
	case <-h.release:
		return nil
	case <-ctx.Done():
		return playerstate.FromStatus(playerstate.FateUnknown, status.FromContextError(ctx.Err()).Err())
	}
}
