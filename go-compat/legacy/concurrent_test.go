package legacy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/rulesets"
)

// bot plays one player of every hunt, and keeps what it was answered.
type bot struct {
	id      uint64
	random  *rand.Rand
	request uint64
	applied map[string]uint64 // "hunt/sequence" → request
}

func (b *bot) play(t *testing.T, e *Engine, hunts []string, rounds int) {
	for range rounds {
		cmds := make([]*pb.Command, 1+b.random.IntN(4))
		for i := range cmds {
			cmds[i] = b.command(hunts[b.random.IntN(len(hunts))])
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if b.random.IntN(20) == 0 { // leaves at any moment
			time.AfterFunc(time.Duration(b.random.IntN(50))*time.Microsecond, cancel)
		}
		outcomes, err := e.ApplyBatch(ctx, cmds)
		cancel()
		if err != nil && status.Code(err) != codes.Canceled {
			t.Errorf("ApplyBatch: %v", err)
		}
		for i, o := range outcomes {
			if o.GetVerdict() == pb.Verdict_VERDICT_APPLIED {
				b.applied[fmt.Sprintf("%s/%d", cmds[i].GetHuntId(), o.GetSequence())] = o.GetRequestId()
			}
		}
	}
}

func (b *bot) command(hunt string) *pb.Command {
	b.request++
	cmd := &pb.Command{HuntId: hunt, PlayerId: b.id, RequestId: b.request}
	switch b.random.IntN(6) {
	case 0:
		cmd.Action = &pb.Command_Join{Join: &pb.Join{}}
	case 1:
		cmd.Action = &pb.Command_Move{Move: &pb.Move{X: b.random.Uint32N(8), Y: b.random.Uint32N(8)}}
	case 2:
		cmd.Action = &pb.Command_Dig{Dig: &pb.Dig{}}
	case 3:
		cmd.Action = &pb.Command_PickUp{PickUp: &pb.PickUp{}}
	default:
		names := []string{"blizzard", "freeze_ray", "pickpocket", "switcheroo", "blink", "shield", "mirror", "antidote"}
		cmd.Action = &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{
			PowerUp: names[b.random.IntN(len(names))], TargetPlayerId: b.random.Uint64N(9),
		}}
	}
	return cmd
}

// What is always true holds under callers who play, read, leave and end at once:
// every answer is in the feed, each sequence once, and the feed replays to the
// state that the engine shows.
func TestConcurrentCallersLeaveAFeedThatReplaysToTheSameState(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	e := New(auto())
	hunts := []string{"a", "b", "c"}
	for _, id := range hunts {
		create(t, e, id)
	}
	bots := make([]*bot, 8)
	var playing sync.WaitGroup
	for i := range bots {
		bots[i] = &bot{id: uint64(i + 1), random: rand.New(rand.NewPCG(seed, uint64(i))), applied: make(map[string]uint64)}
		playing.Go(func() { bots[i].play(t, e, hunts, 200) })
	}
	for _, id := range hunts { // readers beside them
		playing.Go(func() { look(t, e, id) })
	}
	playing.Wait()

	replayed := replayFeed(t, readAll(t, e))
	for _, id := range hunts {
		shown, err := e.GetHunt(context.Background(), &pb.GetHuntRequest{HuntId: id})
		if err != nil {
			t.Fatal(err)
		}
		if again := replayed[id]; again.Digest() != shown.GetDigest() || again.Sequence() != shown.GetSequence() {
			t.Errorf("hunt %s: shown at %d, replayed to %d with another digest", id, shown.GetSequence(), again.Sequence())
		}
	}
	checkAnswers(t, e, bots)
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func look(t *testing.T, e *Engine, id string) {
	for range 50 {
		if _, err := e.GetHunt(context.Background(), &pb.GetHuntRequest{HuntId: id, Top: 3}); err != nil {
			t.Errorf("GetHunt: %v", err)
		}
		_, err := e.GetPlayer(context.Background(), &pb.GetPlayerRequest{HuntId: id, PlayerId: 1})
		if err != nil && status.Code(err) != codes.NotFound {
			t.Errorf("GetPlayer: %v", err)
		}
	}
}

// replayFeed plays the records of all hunts anew, and compares the outcomes.
func replayFeed(t *testing.T, records []*pb.Record) map[string]*rules.Hunt {
	t.Helper()
	classic, err := rules.ParseRuleset("classic.toml", rulesets.Classic())
	if err != nil {
		t.Fatal(err)
	}
	hunts := make(map[string]*rules.Hunt)
	for _, r := range records {
		if created := r.GetCreated(); created != nil {
			hunts[r.GetHuntId()] = rules.Create(r.GetHuntId(), created.GetSettings(), classic, r.GetEpoch(), r.GetAtMs())
			continue
		}
		h := hunts[r.GetHuntId()]
		outcome, err := h.Apply(rules.CommandOf(r.GetApplied().GetCommand()), r.GetAtMs())
		if err != nil || !proto.Equal(outcome, r.GetApplied().GetOutcome()) || h.Sequence() != r.GetSequence() {
			t.Fatalf("record %v replays to %v at %d, %v", r, outcome, h.Sequence(), err)
		}
		if r.GetDigest() != 0 && r.GetDigest() != h.Digest() {
			t.Fatalf("record %v replays to digest %d", r, h.Digest())
		}
	}
	return hunts
}

// checkAnswers holds what the bots were answered against the feed.
func checkAnswers(t *testing.T, e *Engine, bots []*bot) {
	t.Helper()
	recorded := make(map[string]uint64)
	for _, r := range readAll(t, e) {
		recorded[fmt.Sprintf("%s/%d", r.GetHuntId(), r.GetSequence())] = r.GetApplied().GetCommand().GetRequestId()
	}
	answered := 0
	for _, b := range bots {
		for place, request := range b.applied {
			answered++
			if recorded[place] != request {
				t.Errorf("player %d was answered %s for request %d, the feed has %d there", b.id, place, request, recorded[place])
			}
		}
	}
	if answered == 0 {
		t.Error("nothing was applied: the test proves nothing")
	}
}

func TestAHuntIsCreatedOnceByConcurrentCallers(t *testing.T) {
	e := New(auto())
	answers := make([]*pb.CreateHuntResponse, 16)
	var creating sync.WaitGroup
	for i := range answers {
		creating.Go(func() {
			var err error
			answers[i], err = e.CreateHunt(context.Background(), &pb.CreateHuntRequest{HuntId: "a", Settings: testSettings()})
			if err != nil {
				t.Error(err)
			}
		})
	}
	creating.Wait()
	for _, answer := range answers {
		if !proto.Equal(answer, answers[0]) {
			t.Errorf("answers differ: %v and %v", answer, answers[0])
		}
	}
	if n := len(readAll(t, e)); n != 1 {
		t.Errorf("%d records of one creation", n)
	}
	late, refusal := e.begin(&pb.CreateHuntRequest{HuntId: "a", Settings: testSettings()}, BuiltInRulesets()["classic"], 1)
	if refusal != nil || late != e.hunts.find("a") || len(readAll(t, e)) != 1 {
		t.Error("one who looked before it was there, and came after, made it again")
	}
	if n := e.room.hunts.Load(); n != 1 {
		t.Errorf("room for %d hunts taken", n)
	}
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestAnEngineClosedUnderLoadAnswersEverybody(t *testing.T) {
	e := New(auto())
	create(t, e, "a")
	var playing sync.WaitGroup
	for i := range uint64(8) {
		playing.Go(func() {
			for request := uint64(1); ; request++ {
				_, err := e.Apply(context.Background(), join("a", i+1, request))
				if status.Code(err) == codes.Unavailable {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	time.Sleep(5 * time.Millisecond) // let them be in the midst of it; none of what follows depends on it
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
	playing.Wait()
}

func TestAnEngineThatCannotDrainClosesInItsTimeAllTheSame(t *testing.T) {
	e := New(auto())
	create(t, e, "a")
	release := block(t, e, "a")
	waited := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		outcome, err := e.Apply(ctx, join("a", 1, 1))
		if brief(outcome) != "DRAINING" && brief(outcome) != "APPLIED" {
			err = errors.Join(err, fmt.Errorf("answered %v", outcome))
		}
		waited <- err
	}()
	for len(e.hunts.find("a").mailbox) == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	time.AfterFunc(20*time.Millisecond, release) // a hunt that never comes back would be a bug of the rules
	if err := e.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

// The cost of a command in process, with as many callers as there are processors.
func BenchmarkApply(b *testing.B) {
	e := New(Config{Claim: ClaimAuto})
	defer func() { _ = e.Close(context.Background()) }()
	settings := &pb.HuntSettings{Width: 100, Height: 100, MaxPlayers: 10_000, DurationMs: playerstate.MaxDurationMs}
	for i := range 16 {
		if _, err := e.CreateHunt(context.Background(), &pb.CreateHuntRequest{HuntId: fmt.Sprint("h", i), Settings: settings}); err != nil {
			b.Fatal(err)
		}
	}
	var players, failed = make(chan uint64, 1), make(chan error, 1)
	players <- 1
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		id := <-players
		players <- id + 1
		hunt := fmt.Sprint("h", id%16)
		at, err := e.Apply(ctx, join(hunt, id, 1))
		for request := uint64(2); p.Next() && err == nil; request++ {
			_, err = e.Apply(ctx, stay(hunt, id, request, at.GetPlayer()))
		}
		if err != nil {
			failed <- err
		}
	})
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
}
