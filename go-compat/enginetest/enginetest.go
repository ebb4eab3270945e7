package enginetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// Tier is how much of the seam an engine has. Each tier holds those before it.
type Tier uint8

const (
	// Commander is a [playerstate.Commander].
	Commander Tier = iota + 1
	// Feeder is a [playerstate.Feeder] as well.
	Feeder
)

func (t Tier) String() string {
	if t == Feeder {
		return "Feeder"
	}
	return "Commander"
}

// NewEngine gives an engine to one test of the suite. It is closed by whoever made
// it, as with t.Cleanup; where it has Close(ctx), one test closes it before.
type NewEngine func(t testing.TB) playerstate.Commander

// Option says how to go about an engine.
type Option func(*config)

type config struct {
	byRouter bool
	stall    StallFunc
}

// CreatedByRouter has hunts created as a router does it, at an epoch of its ledger
// and with its incarnation. Without it both are 0, as services without a router
// have it.
func CreatedByRouter() Option { return func(c *config) { c.byRouter = true } }

// StallFunc makes an engine stop working on a hunt until resume is called. It may
// stop on all others as well.
type StallFunc func(t testing.TB, engine playerstate.Commander, huntID string) (resume func())

// Stall lets the suite see what callers go through while the engine hangs. Without
// it those tests are skipped, by name.
func Stall(stall StallFunc) Option { return func(c *config) { c.stall = stall } }

// Run holds an engine to a tier: one subtest a promise.
func Run(t *testing.T, tier Tier, newEngine NewEngine, options ...Option) {
	t.Helper()
	var c config
	for _, option := range options {
		option(&c)
	}
	for at := Commander; at <= tier; at++ {
		t.Run(at.String(), func(t *testing.T) {
			for _, p := range promises[at] {
				t.Run(p.name, func(t *testing.T) { p.check(newBench(t, at, newEngine, c)) })
			}
		})
	}
}

// promise is one thing that an engine holds.
type promise struct {
	name  string
	check func(*bench)
}

// promises of each tier, in the order in which somebody who writes an adapter wants
// to see them fail.
var promises = map[Tier][]promise{
	Commander: {
		{"a hunt is shown as it was created", huntIsShown},
		{"a repeated CreateHunt gets the same answer", createIsRepeated},
		{"many who create one hunt get one answer", createIsShared},
		{"other settings under a known id are ALREADY_EXISTS", idIsTaken},
		{"a malformed request names its field", requestsAreChecked},
		{"what is not there is NOT_FOUND", absentIsNotFound},
		{"a command is answered with what it did", commandIsAnswered},
		{"a player is shown as they are", playerIsShown},
		{"a No of the game is a verdict", rejectionIsVerdict},
		{"a malformed command is INVALID by its field", commandsAreChecked},
		{"a command for a hunt that is not there is UNKNOWN_HUNT", unknownHuntIsRefused},
		{"a command at another epoch is STALE_EPOCH", epochIsHeld},
		{"an expected version is held to", versionIsHeld},
		{"a repeated request is DUPLICATE and changes nothing", requestIsRepeated},
		{"an old request is never applied again", oldRequestIsNotApplied},
		{"one request of many callers is applied once", requestIsShared},
		{"a batch is applied and answered in order", batchIsInOrder},
		{"a batch of none or too many is refused", batchIsBounded},
		{"a bad command spoils no neighbour", neighboursAreSpared},
		{"a message is its caller's before and after", messagesAreCallers},
		{"an ended hunt says so, once and for all", huntIsEnded},
		{"a failure is true about what was applied", failuresAreTrue},
		{"a command past its budget changes nothing", budgetIsHeld},
		{"a call without a deadline ends though the engine hangs", hangIsBounded},
		{"what callers do at once adds up", playAddsUp},
		{"a closed engine is UNAVAILABLE", closedIsUnavailable},
	},
	Feeder: {
		{"every answer is a record, without a gap", answersAreRecords},
		{"a reader goes on where its cursor stands", cursorGoesOn},
		{"a reader of one hunt sees that hunt alone", readerOfOneHunt},
		{"a reader that skips moves misses nothing else", movesAreSkipped},
		{"a page ends at its bytes after one record at least", pageIsBounded},
		{"a reader that waits is woken", readerIsWoken},
		{"a reader that waits in vain is answered", readerWaitsInVain},
		{"a cursor of another feed begins anew with a gap", foreignCursorIsGap},
		{"a record is found by its place", recordIsFound},
		{"the end is a record, once", endIsRecord},
		{"a malformed read names its field", readsAreChecked},
	},
}

// callTime is the most that a call of the suite may take. Every engine answers
// within it, however busy the machine is.
const callTime = 10 * time.Second

// bench is one test of the suite and its engine. The TB is the test's.
type bench struct {
	testing.TB
	config
	engine playerstate.Commander
	feeder playerstate.Feeder // nil under the tier Feeder

	requests *playerstate.RequestIDs
}

func newBench(t testing.TB, tier Tier, newEngine NewEngine, c config) *bench {
	t.Helper()
	b := &bench{TB: t, config: c, engine: newEngine(t), requests: playerstate.NewRequestIDs()}
	if tier >= Feeder {
		feeder, ok := b.engine.(playerstate.Feeder)
		if !ok {
			t.Fatalf("%T is no playerstate.Feeder", b.engine)
		}
		b.feeder = feeder
	}
	return b
}

func (b *bench) ctx() context.Context {
	ctx, cancel := context.WithTimeout(b.Context(), callTime)
	b.Cleanup(cancel)
	return ctx
}

// settings are those of the suite's hunts: half of the cells have a treasure.
func settings() *pb.HuntSettings {
	return &pb.HuntSettings{Seed: 20, Width: 16, Height: 16, Treasures: 128, MaxPlayers: 10_000, DurationMs: 1_800_000}
}

// newID is an id that no hunt has had.
func newID() string { return fmt.Sprintf("enginetest-%016x", rand.Uint64()) }

func (b *bench) createRequest(huntID string) *pb.CreateHuntRequest {
	req := &pb.CreateHuntRequest{HuntId: huntID, Settings: settings()}
	if b.byRouter {
		req.Epoch, req.RouterIncarnation = 1, 1
	}
	return req
}

// hunt creates a hunt and gives its id.
func (b *bench) hunt() string {
	b.Helper()
	id := newID()
	b.create(b.createRequest(id))
	return id
}

func (b *bench) create(req *pb.CreateHuntRequest) *pb.CreateHuntResponse {
	b.Helper()
	resp, err := b.engine.CreateHunt(b.ctx(), req)
	if err != nil {
		b.Fatalf("CreateHunt: %v", err)
	}
	return resp
}

func (b *bench) getHunt(huntID string, top uint32) *pb.GetHuntResponse {
	b.Helper()
	resp, err := b.engine.GetHunt(b.ctx(), &pb.GetHuntRequest{HuntId: huntID, Top: top})
	if err != nil {
		b.Fatalf("GetHunt: %v", err)
	}
	return resp
}

func (b *bench) getPlayer(huntID string, player uint64) *pb.GetPlayerResponse {
	b.Helper()
	resp, err := b.engine.GetPlayer(b.ctx(), &pb.GetPlayerRequest{HuntId: huntID, PlayerId: player})
	if err != nil {
		b.Fatalf("GetPlayer: %v", err)
	}
	return resp
}

func (b *bench) end(huntID string) *pb.EndHuntResponse {
	b.Helper()
	resp, err := b.engine.EndHunt(b.ctx(), &pb.EndHuntRequest{HuntId: huntID})
	if err != nil {
		b.Fatalf("EndHunt: %v", err)
	}
	return resp
}

func (b *bench) apply(cmd *pb.Command) *pb.Outcome {
	b.Helper()
	outcome, err := b.engine.Apply(b.ctx(), cmd)
	if err != nil {
		b.Fatalf("Apply: %v", err)
	}
	return outcome
}

func (b *bench) applyBatch(cmds []*pb.Command) []*pb.Outcome {
	b.Helper()
	outcomes, err := b.engine.ApplyBatch(b.ctx(), cmds)
	if err != nil {
		b.Fatalf("ApplyBatch: %v", err)
	}
	if len(outcomes) != len(cmds) {
		b.Fatalf("%d outcomes to %d commands", len(outcomes), len(cmds))
	}
	return outcomes
}

// mustApply wants a command APPLIED.
func (b *bench) mustApply(cmd *pb.Command) *pb.Outcome {
	b.Helper()
	outcome := b.apply(cmd)
	b.wantVerdict(outcome, pb.Verdict_VERDICT_APPLIED)
	return outcome
}

// join is a command under a new request_id; leave, dig and move likewise.
func (b *bench) join(huntID string, player uint64) *pb.Command {
	cmd := b.command(huntID, player)
	cmd.Action = &pb.Command_Join{Join: &pb.Join{}}
	return cmd
}

func (b *bench) leave(huntID string, player uint64) *pb.Command {
	cmd := b.command(huntID, player)
	cmd.Action = &pb.Command_Leave{Leave: &pb.Leave{}}
	return cmd
}

func (b *bench) dig(huntID string, player uint64) *pb.Command {
	cmd := b.command(huntID, player)
	cmd.Action = &pb.Command_Dig{Dig: &pb.Dig{}}
	return cmd
}

func (b *bench) move(huntID string, player uint64, x, y uint32) *pb.Command {
	cmd := b.command(huntID, player)
	cmd.Action = &pb.Command_Move{Move: &pb.Move{X: x, Y: y}}
	return cmd
}

func (b *bench) command(huntID string, player uint64) *pb.Command {
	return &pb.Command{HuntId: huntID, PlayerId: player, RequestId: b.requests.Next()}
}

// again is a copy of a command, as a caller has it who asks once more.
func again(cmd *pb.Command) *pb.Command { return proto.CloneOf(cmd) }
