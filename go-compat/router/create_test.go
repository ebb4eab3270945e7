package router

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/playerstatetest"
	"treasurehunt.example/go-compat/router/ledger"
)

func TestOneOfManyConcurrentCreatorsWinsAndAllGetItsAnswer(t *testing.T) {
	b := newBench(t, 0)
	const creators = 100
	answers := make([]*pb.CreateHuntResponse, creators)
	var all sync.WaitGroup
	for i := range creators {
		all.Go(func() {
			b.flag.percent.Store(uint32(i % 2 * 100_000)) // the flag goes up and down meanwhile
			resp, err := b.CreateHunt(context.Background(), &pb.CreateHuntRequest{HuntId: "h", Settings: settings(1)})
			if err != nil {
				t.Error(err)
			}
			answers[i] = resp
		})
	}
	all.Wait()
	if b.legacy.Has("h") == b.sidecar.Has("h") {
		t.Fatalf("in Go: %t, in the sidecar: %t; want one owner", b.legacy.Has("h"), b.sidecar.Has("h"))
	}
	if asked := b.legacy.Calls(playerstatetest.CreateHunt) + b.sidecar.Calls(playerstatetest.CreateHunt); asked != 1 {
		t.Errorf("the owner was asked %d times; want once", asked)
	}
	for _, answer := range answers {
		if !proto.Equal(answer, answers[0]) {
			t.Fatalf("answers differ: %v and %v", answer, answers[0])
		}
	}
}

func TestARepeatedCreateIsAnsweredFromTheLedgerAndOtherSettingsAreRefused(t *testing.T) {
	b := newBench(t, 100)
	req := &pb.CreateHuntRequest{HuntId: "h", Settings: settings(1)}
	first, err := b.CreateHunt(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for what, happens := range map[string]func(){
		"well":   b.sidecar.Heal,
		"away":   func() { b.sidecar.Fail(away) },
		"frozen": func() { b.sidecar.Hold() },
	} {
		happens()
		again, err := b.CreateHunt(t.Context(), req)
		if err != nil || !proto.Equal(first, again) {
			t.Errorf("with the sidecar %s: %v, %v; want %v", what, again, err, first)
		}
		b.sidecar.Heal()
	}
	_, err = b.CreateHunt(t.Context(), &pb.CreateHuntRequest{HuntId: "h", Settings: settings(2)})
	wantCode(t, err, codes.AlreadyExists)
}

func TestARepeatedCreateOfAHuntThatItsOwnerLostIsAnsweredAsItsCommandsAre(t *testing.T) {
	b := newBench(t, 100)
	b.mustCreate("h")
	b.sidecar.Restart() // without its hunts
	created := b.create("h")
	wantCode(t, created, codes.Unavailable)
	if _, err := b.Apply(t.Context(), join("h")); err == nil || err.Error() != created.Error() {
		t.Errorf("a command: %v; CreateHunt: %v", err, created)
	}
	if b.sidecar.Has("h") {
		t.Error("an empty hunt stands where one was lost")
	}
}

func TestALateAttemptToCreateSendsNothingOnceTheHuntIsOwned(t *testing.T) {
	b := newBench(t, 100)
	b.mustCreate("h")
	b.sidecar.Restart()
	// Its caller looked the hunt up when it was CREATING, and was held up since.
	if e, failure := b.attempt(t.Context(), "h", settings(1)); failure != nil || e.State != ledger.Owned {
		t.Errorf("%+v, %v", e, failure)
	}
	if b.sidecar.Has("h") {
		t.Error("an empty hunt stands where one was lost")
	}
}

func TestAHuntIsCreatedAtEpochOneByThisRouter(t *testing.T) {
	b := newBench(t, 100)
	for _, req := range []*pb.CreateHuntRequest{
		{HuntId: "h", Settings: settings(1), Epoch: 1},
		{HuntId: "h", Settings: settings(1), RouterIncarnation: 1},
		{HuntId: "no\nid", Settings: settings(1)},
		{HuntId: "h"},
	} {
		_, err := b.CreateHunt(t.Context(), req)
		wantCode(t, err, codes.InvalidArgument)
	}
	b.mustCreate("h")
	hunt, err := b.sidecar.GetHunt(t.Context(), &pb.GetHuntRequest{HuntId: "h"})
	if err != nil || hunt.GetEpoch() != 1 {
		t.Errorf("created as %v, %v", hunt, err)
	}
}

func TestNewHuntsFollowTheFlagUnderLoadAndRunningOnesStay(t *testing.T) {
	b := newBench(t, 0)
	owners := map[string]ledger.Owner{}
	for step, percent := range []float64{0, 25, 100, 25, 0} {
		b.flag.set(t, percent)
		var load sync.WaitGroup
		for n := range 100 {
			load.Go(func() { b.mustCreate(huntID(step*100 + n)) })
		}
		for id := range owners { // those that run are played meanwhile
			load.Go(func() { b.play(id, 1) })
		}
		load.Wait()
		for n := range 100 {
			owners[huntID(step*100+n)] = b.ownerByFlag(huntID(step*100 + n))
		}
		checkOwners(t, b, owners)
	}
	b.stop()
	b.flag.set(t, 100)
	b.start() // the same engines: nothing is lost, nothing moves
	checkOwners(t, b, owners)
}

// ownerByFlag is where a new hunt goes now.
func (b *bench) ownerByFlag(huntID string) ledger.Owner {
	if b.flag.Percent().Includes(huntID) {
		return ledger.Sidecar
	}
	return ledger.Go
}

func checkOwners(t *testing.T, b *bench, owners map[string]ledger.Owner) {
	t.Helper()
	for id, owner := range owners {
		b.play(id, 1)
		if b.sidecar.Has(id) != (owner == ledger.Sidecar) || b.legacy.Has(id) != (owner == ledger.Go) {
			t.Fatalf("%s is not where it began: %s", id, owner)
		}
	}
}

func TestASidecarThatIsAwaySendsNewHuntsToGoAtOnce(t *testing.T) {
	b := newBench(t, 100)
	b.sidecar.Fail(away)
	b.mustCreate("first") // the very call that finds it away
	b.mustCreate("second")
	for _, id := range []string{"first", "second"} {
		if !b.legacy.Has(id) {
			t.Errorf("%s is not in Go", id)
		}
	}
	if got := b.Status().EffectivePercent; got != 0 {
		t.Errorf("effective percent is %v while the sidecar is away", got)
	}
}

func TestAHuntThatMayBeAtTheSidecarStaysThereUntilItAnswers(t *testing.T) {
	b := newBench(t, 100)
	b.sidecar.LoseAnswers(playerstatetest.On(playerstatetest.CreateHunt))
	err := b.create("h")
	wantCode(t, err, codes.Unavailable)
	if playerstate.FateOf(err) != playerstate.FateUnknown {
		t.Error("a hunt that may be there is said not to be")
	}
	outcome, err := b.Apply(t.Context(), join("h"))
	if err != nil || outcome.GetRefusal().GetReason() != pb.Refusal_REASON_NOT_ACTIVE {
		t.Errorf("a command before the hunt was answered: %v, %v", outcome, err)
	}
	b.sidecar.Heal()
	b.mustCreate("h")
	if b.legacy.Has("h") {
		t.Error("the hunt is at both engines")
	}
}

func TestARefusalOfTheOwnerIsTheCallersAndLeavesNoEntry(t *testing.T) {
	for _, percent := range []float64{0, 100} {
		b := newBench(t, percent)
		refusal := playerstate.Invalid("settings.ruleset", "no such ruleset")
		b.legacy.Fail(refusal)
		b.sidecar.Fail(refusal)
		wantCode(t, b.create("h"), codes.InvalidArgument)
		if _, ok := b.ledger.Lookup("h"); ok {
			t.Error("a refused hunt stands in the ledger")
		}
		b.legacy.Heal()
		b.sidecar.Heal()
		b.mustCreate("h")
	}
}

func TestACrashBetweenCreatingAndOwnedLosesNothing(t *testing.T) {
	b := newBench(t, 100)
	atCrash := filepath.Join(t.TempDir(), "ledger.db")
	held := b.sidecar.HoldAnswers(playerstatetest.On(playerstatetest.CreateHunt))
	created := make(chan error)
	go func() { created <- b.create("h") }()
	held.Await(t, 1) // the router dies right here
	content, err := os.ReadFile(b.config.LedgerPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(atCrash, content, 0o600); err != nil {
		t.Fatal(err)
	}
	b.sidecar.Heal()
	<-created // whatever it was answered: only the file as it was in the middle counts
	b.stop()

	b.flag.set(t, 0) // and the flag has changed
	b.config.LedgerPath = atCrash
	b.start()
	if e, ok := b.ledger.Lookup("h"); !ok || e.State != ledger.Creating {
		t.Fatalf("after the crash the ledger has %+v; want CREATING", e)
	}
	b.mustCreate("h")
	if b.legacy.Has("h") {
		t.Error("the hunt was created a second time, in Go")
	}
	if outcome, err := b.Apply(t.Context(), join("h")); err != nil || outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
		t.Errorf("%v, %v", outcome, err)
	}
}

func TestALedgerThatCannotBeWrittenEndsTheRouter(t *testing.T) {
	b := newBench(t, 0)
	b.mustCreate("before")
	breakDisk(t, b.config.LedgerPath)
	wantCode(t, b.create("after"), codes.Unavailable)
	if b.legacy.Has("after") {
		t.Error("a hunt was created that the ledger does not have")
	}
	select {
	case <-b.Failed():
	default:
		t.Fatal("Failed is not closed")
	}
	if b.Err() == nil {
		t.Error("Err does not say why")
	}
	_, err := b.Apply(t.Context(), join("before")) // it does not go on from memory
	wantCode(t, err, codes.Unavailable)
}

// breakDisk makes every write to an open file of this process fail: its
// descriptors are replaced by one that only reads.
func breakDisk(t *testing.T, path string) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("this system does not show open files: %v", err)
	}
	broken := 0
	for _, entry := range open {
		target, _ := os.Readlink(filepath.Join("/proc/self/fd", entry.Name()))
		fd, err := strconv.Atoi(entry.Name())
		if err != nil || target != path {
			continue
		}
		if err := syscall.Dup3(int(null.Fd()), fd, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		broken++
	}
	if broken == 0 {
		t.Fatalf("%s is not open", path)
	}
}

func TestACallerWhoLeftMayUseTheRequestAgain(t *testing.T) {
	b := newBench(t, 0)
	gone, leave := context.WithCancel(t.Context())
	leave()
	for i := range 200 {
		req := &pb.CreateHuntRequest{HuntId: huntID(i), Settings: settings(1)}
		_, _ = b.CreateHunt(gone, req) // answered or not, the message is the caller's again
		req.Settings.Seed = 2
	}
	for i := range 200 {
		var e *ledger.Entry
		eventually(t, "the hunt is in the ledger", func() (ok bool) { e, ok = b.ledger.Lookup(huntID(i)); return ok })
		if e.Settings.GetSeed() != 1 {
			t.Fatalf("hunt %s was created with what its caller wrote after the call", e.HuntID)
		}
	}
}
