package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/router/ledger"
)

const (
	ownershipTime = 2 * time.Second        // bounds one call about ownership
	claimAgain    = 250 * time.Millisecond // until a round of claims that was not finished is begun anew
)

// recoverHunts brings the sidecar's hunts back whenever there may be some to bring
// back, until ctx is over: at the start, when the sidecar answers again, and when a
// call finds a hunt unclaimed.
func (r *Router) recoverHunts(ctx context.Context) {
	for {
		select {
		case <-r.recheck:
			r.recoverOnce(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// recoverOnce is one round: Hello, the list of what the sidecar has, and for each of
// its hunts what "After anybody's restart" of the handoff says.
func (r *Router) recoverOnce(ctx context.Context) {
	began := time.Now()
	c := &claimRound{router: r, calls: make(chan struct{}, keepAtOnce)}
	err := c.run(ctx)
	if errors.Is(err, errNoOwnership) { // an older build, or an engine of somebody's own
		r.lookForSidecarHunts(ctx)
		return
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		r.log.Warn("the sidecar's hunts are not all claimed yet", "claimed", c.claimed.Load(), "error", transportSaid(err))
	} else {
		r.tellMissing(c.missing)
		r.recovery.over()
	}
	if n := c.claimed.Load(); n > 0 {
		r.log.Info("the sidecar's hunts were claimed after its restart", "hunts", n, "took", time.Since(began).String())
	}
	switch {
	case err != nil:
		time.AfterFunc(claimAgain, r.recheckSidecar)
	case c.again.Load():
		time.AfterFunc(keepEvery, r.recheckSidecar)
	}
}

// errNoOwnership says that the sidecar does not serve the calls about ownership.
var errNoOwnership = errors.New("the sidecar does not know the OwnershipService")

var errRestarted = errors.New("the sidecar restarted while its hunts were being claimed")

// claimRound is one look at all of the sidecar's hunts.
type claimRound struct {
	router  *Router
	fence   *pb.Fence
	calls   chan struct{} // holds a value for each Activate that is out
	claimed atomic.Int64
	again   atomic.Bool // a claim was refused, and may be taken later

	mu       sync.Mutex // guards what follows; never held over a call
	missing  []MissingHunt
	unserved []string // ids of those, and of hunts that are only read
}

func (c *claimRound) run(ctx context.Context) error {
	if c.router.sidecar.mover == nil {
		return errNoOwnership
	}
	wanted := c.owned() // before the list, so that no hunt is too new for it
	if err := c.hello(ctx); err != nil {
		return err
	}
	if err := c.settleListed(ctx, wanted); err != nil {
		return err
	}
	if err := c.sameLife(ctx); err != nil {
		return err
	}
	for _, e := range wanted {
		if now, ok := c.router.ledger.Lookup(e.HuntID); ok && now.SameOwnership(e) {
			c.lacks(e, "the engine has not got it")
		}
	}
	for _, huntID := range c.unserved { // not before it is sure: the sidecar may have restarted under the round
		c.router.waits.release(huntID, false)
	}
	return nil
}

// owned is what the ledger gives to the sidecar, by id.
func (c *claimRound) owned() map[string]*ledger.Entry {
	owned := map[string]*ledger.Entry{}
	for e := range c.router.ledger.Live() {
		if e.State == ledger.Owned && e.Owner == ledger.Sidecar {
			owned[e.HuntID] = e
		}
	}
	return owned
}

// hello learns which life of the sidecar this is. One that obeys another ledger, or a
// later router, is not used.
func (c *claimRound) hello(ctx context.Context) error {
	greeting := c.router.greeting()
	ctx, cancel := context.WithTimeout(ctx, ownershipTime)
	defer cancel()
	resp, err := c.router.sidecar.hello(ctx, greeting)
	switch codeOf(err) {
	case codes.OK:
	case codes.Unimplemented:
		return errNoOwnership
	case codes.FailedPrecondition:
		c.router.sidecarIs(fmt.Sprintf("it refuses this router: %s", status.Convert(err).Message()))
		return err
	default: // the codes are grpc's: it did not answer, or could not
		return err
	}
	c.fence = &pb.Fence{
		LedgerId:          greeting.GetFence().GetLedgerId(),
		RouterIncarnation: greeting.GetFence().GetRouterIncarnation(),
		EngineIncarnation: resp.GetEngineIncarnation(),
	}
	c.router.met(resp)
	return nil
}

// sameLife tells whether what was refused was so because the sidecar restarted under
// the round: then it says nothing of the hunts.
func (c *claimRound) sameLife(ctx context.Context) error {
	if !c.again.Load() {
		return nil
	}
	before := c.fence.GetEngineIncarnation()
	if err := c.hello(ctx); err != nil {
		return err
	}
	if c.fence.GetEngineIncarnation() != before {
		return errRestarted
	}
	return nil
}

// settleListed walks the sidecar's list, and takes out of wanted what is on it.
func (c *claimRound) settleListed(ctx context.Context, wanted map[string]*ledger.Entry) error {
	settling, ctx := errgroup.WithContext(ctx)
	settling.SetLimit(keptAtOnce)
	after, unfit := "", &firstText{}
	for more := true; more && ctx.Err() == nil; {
		page, err := c.list(ctx, after)
		if err != nil {
			return errors.Join(err, settling.Wait())
		}
		more = page.GetMore() && len(page.GetHunts()) > 0
		for _, hunt := range page.GetHunts() {
			after = hunt.GetHuntId()
			delete(wanted, after)
			e, ok := c.router.ledger.Lookup(after)
			if !ok || e.Owner != ledger.Sidecar || e.State != ledger.Owned && e.State != ledger.Closed {
				continue // being created, or not its own: nobody is sent there for it
			}
			settling.Go(func() error { return c.settle(ctx, e, hunt, unfit) })
		}
	}
	err := settling.Wait()
	if err == nil {
		c.router.sidecarIs(unfit.get())
	}
	return err
}

func (c *claimRound) list(ctx context.Context, after string) (*pb.ListHuntsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, ownershipTime)
	defer cancel()
	return c.router.sidecar.listHunts(ctx, &pb.ListHuntsRequest{AfterHuntId: after, MaxHunts: playerstate.MaxListHunts, WithDigest: true})
}

// settle does what the handoff's table says of a hunt that the ledger gives to the
// sidecar. Its error ends the round.
func (c *claimRound) settle(ctx context.Context, e *ledger.Entry, hunt *pb.HuntStatus, unfit *firstText) error {
	served, why := false, ""
	var err error
	switch state := hunt.GetState(); {
	case state == pb.HuntStatus_STATE_QUARANTINED:
		served = true // it is there, and refuses by itself
	case hunt.GetEpoch() > e.Epoch:
		why = fmt.Sprintf("it is %s at epoch %d, above the ledger's %d: the ledger is an older copy, or not the sidecar's", stateName(state), hunt.GetEpoch(), e.Epoch)
		unfit.set(fmt.Sprintf("hunt %q: %s", e.HuntID, why))
	case state == pb.HuntStatus_STATE_ACTIVE && hunt.GetEpoch() == e.Epoch:
		served = true
		c.router.unanswered.forget(e.HuntID)
	case state != pb.HuntStatus_STATE_RECOVERED:
		why = fmt.Sprintf("it is %s at epoch %d, where the ledger has %d", stateName(state), hunt.GetEpoch(), e.Epoch)
	case hunt.GetRecordEpoch() < e.Since:
		why = fmt.Sprintf("the copy ends at epoch %d, before its owner took it over at %d", hunt.GetRecordEpoch(), e.Since)
	default:
		served, why, err = c.claim(ctx, e, hunt)
	}
	if err != nil {
		return err
	}
	if served {
		c.router.waits.release(e.HuntID, true)
	} else {
		c.lacks(e, why)
	}
	return nil
}

// claim has the sidecar go on with a recovered hunt, at a new epoch. A claim that was
// not answered by this life of the sidecar is repeated as it was: it may have been
// taken, or be on its way.
func (c *claimRound) claim(ctx context.Context, e *ledger.Entry, hunt *pb.HuntStatus) (served bool, why string, err error) {
	req := c.router.unanswered.of(e, c.fence)
	if req == nil {
		claimed, err := c.router.ledger.Claim(ctx, e)
		var changed *ledger.StateError
		if errors.As(err, &changed) { // it ended meanwhile
			c.again.Store(true)
			return false, "", nil
		}
		if err != nil {
			return false, "", err
		}
		req = &pb.ActivateRequest{
			HuntId: e.HuntID, Epoch: claimed.Epoch, Fence: c.fence,
			Sequence: hunt.GetSequence(), Digest: hunt.GetDigest(),
		}
		c.router.unanswered.remember(req)
	}
	err = c.activate(ctx, req)
	switch {
	case err == nil:
		c.router.unanswered.forget(e.HuntID)
		c.claimed.Add(1)
		c.router.metrics.claims.Inc()
		return true, "", nil
	case codeOf(err) == codes.FailedPrecondition || codeOf(err) == codes.NotFound: // it was not taken, and never will be
		c.router.unanswered.forget(e.HuntID)
		c.again.Store(true)
		return false, "it refused the claim: " + status.Convert(err).Message(), nil
	default: // the codes are grpc's: it may have been taken
		return false, "", err
	}
}

// activate sends a claim, of which so many are out at a time.
func (c *claimRound) activate(ctx context.Context, req *pb.ActivateRequest) error {
	c.calls <- struct{}{}
	defer func() { <-c.calls }()
	ctx, cancel := context.WithTimeout(ctx, ownershipTime)
	defer cancel()
	_, err := c.router.sidecar.activate(ctx, req)
	return err
}

// lacks notes a hunt that its owner does not serve.
func (c *claimRound) lacks(e *ledger.Entry, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unserved = append(c.unserved, e.HuntID)
	if e.State != ledger.Owned || why == "" { // it has ended, or changed under the round
		return
	}
	c.missing = append(c.missing, MissingHunt{HuntID: e.HuntID, Owner: e.Owner, Epoch: e.Epoch, Why: why})
}

// unansweredClaims is the claims whose answers are still out. Safe for concurrent use;
// bounded by the sidecar's hunts.
type unansweredClaims struct {
	mu       sync.Mutex // guards requests
	requests map[string]*pb.ActivateRequest
}

func newUnansweredClaims() *unansweredClaims {
	return &unansweredClaims{requests: map[string]*pb.ActivateRequest{}}
}

// of is the claim that may have reached this life of the engine; nil: there is none.
func (u *unansweredClaims) of(e *ledger.Entry, fence *pb.Fence) *pb.ActivateRequest {
	u.mu.Lock()
	defer u.mu.Unlock()
	req := u.requests[e.HuntID]
	if req.GetEpoch() == e.Epoch && req.GetFence().GetEngineIncarnation() == fence.GetEngineIncarnation() {
		return req
	}
	return nil
}

func (u *unansweredClaims) remember(req *pb.ActivateRequest) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.requests[req.GetHuntId()] = req
}

func (u *unansweredClaims) forgetAll() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.requests)
}

func (u *unansweredClaims) forget(huntID string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.requests, huntID)
}

// firstText keeps the first text that is set. Safe for concurrent use.
type firstText struct{ text atomic.Pointer[string] }

func (f *firstText) set(text string) { f.text.CompareAndSwap(nil, &text) }

func (f *firstText) get() string {
	if text := f.text.Load(); text != nil {
		return *text
	}
	return ""
}

// routerName is how the router calls itself in Hello.
const routerName = "go-compat/router"

// greeting is how the router says who it is.
func (r *Router) greeting() *pb.HelloRequest {
	meta := r.ledger.Meta()
	return &pb.HelloRequest{
		Router:     routerName,
		Fence:      &pb.Fence{LedgerId: meta.LedgerID, RouterIncarnation: meta.Incarnation},
		SchemaHash: playerstate.SchemaHash,
	}
}

// stateName is "RECOVERED" of STATE_RECOVERED.
func stateName(s pb.HuntStatus_State) string { return strings.TrimPrefix(s.String(), "STATE_") }

// met notes which life of the sidecar answered. A differing schema is a warning: the
// schema only grows.
func (r *Router) met(hello *pb.HelloResponse) {
	before := r.incarnation.Swap(hello.GetEngineIncarnation())
	if before == hello.GetEngineIncarnation() {
		return
	}
	r.unanswered.forgetAll() // they were another life's
	r.log.Info("the sidecar said hello", "engine", hello.GetEngine(), "build", hello.GetBuild(), "durability", hello.GetDurability(),
		"engine_incarnation", hello.GetEngineIncarnation(), "restarted", before != 0)
	if hello.GetSchemaHash() != playerstate.SchemaHash {
		r.log.Warn("the sidecar was built from another schema", "its_sha256", hello.GetSchemaHash(), "sha256", playerstate.SchemaHash)
	}
}

// sidecarIs says why the sidecar gets no new hunts, whatever the flag says; "" if it does.
func (r *Router) sidecarIs(unfit string) {
	before := r.unfit.Swap(&unfit)
	if before != nil && *before == unfit {
		return
	}
	if unfit != "" {
		r.log.Error("the sidecar gets no new hunts", "cause", unfit)
	} else if before != nil && *before != "" {
		r.log.Info("the sidecar gets new hunts again")
	}
}

// whyUnfit is what sidecarIs was told last.
func (r *Router) whyUnfit() string {
	if unfit := r.unfit.Load(); unfit != nil {
		return *unfit
	}
	return ""
}

// sidecarTakesHunts says that new hunts may go to the sidecar.
func (r *Router) sidecarTakesHunts() bool { return r.sidecar.breaker.closed() && r.whyUnfit() == "" }

// recovery is since when the sidecar's hunts wait. Safe for concurrent use.
type recovery struct {
	since atomic.Int64 // Unix nanoseconds; 0: they do not
	told  atomic.Bool  // that it takes too long
}

func (r *recovery) begin(now time.Time) { r.since.CompareAndSwap(0, now.UnixNano()) }

func (r *recovery) over() {
	r.since.Store(0)
	r.told.Store(false)
}

// lasted is how long they have waited; 0 if they do not.
func (r *recovery) lasted(now time.Time) time.Duration {
	if since := r.since.Load(); since != 0 {
		return now.Sub(time.Unix(0, since))
	}
	return 0
}

func (r *recovery) overdue(now time.Time, within time.Duration) bool { return r.lasted(now) > within }

// tellOverdue says, once, that the sidecar's hunts are not back in time.
func (r *Router) tellOverdue(now time.Time) {
	if r.recovery.overdue(now, r.config.RecoverWithin) && r.recovery.told.CompareAndSwap(false, true) {
		r.log.Error("the sidecar's hunts are not back in time; they wait for it",
			"recover_within", r.config.RecoverWithin.String(), "hunts", r.live(ledger.Sidecar), "cause", r.sidecar.breaker.why())
	}
}

func sortMissing(hunts []MissingHunt) {
	slices.SortFunc(hunts, func(a, b MissingHunt) int { return strings.Compare(a.HuntID, b.HuntID) })
}
