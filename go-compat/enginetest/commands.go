package enginetest

import (
	"sync"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// rememberedMax is how many requests of a player every engine remembers (RULES).
const rememberedMax = 4

func commandIsAnswered(b *bench) {
	req := b.createRequest(newID())
	epoch := b.create(req).GetEpoch()
	var last uint64
	for i, cmd := range []*pb.Command{b.join(req.GetHuntId(), 7), b.leave(req.GetHuntId(), 7), b.join(req.GetHuntId(), 7)} {
		outcome := b.mustApply(cmd)
		if outcome.GetRequestId() != cmd.GetRequestId() || outcome.GetEpoch() != epoch {
			b.Errorf("command %d: answered with request %d at epoch %d; want %d at %d", i, outcome.GetRequestId(), outcome.GetEpoch(), cmd.GetRequestId(), epoch)
		}
		if outcome.GetSequence() <= last {
			b.Errorf("command %d: sequence %d after %d", i, outcome.GetSequence(), last)
		}
		last = outcome.GetSequence()
		if got := outcome.GetPlayer().GetVersion(); got != uint32(i+1) {
			b.Errorf("command %d: the player is at version %d; each APPLIED command is one more, from 1", i, got)
		}
	}
}

func rejectionIsVerdict(b *bench) {
	hunt := b.hunt()
	b.wantRejection(b.apply(b.dig(hunt, 7)), pb.Rejection_REJECTION_NOT_JOINED)
	b.mustApply(b.join(hunt, 7))
	b.mustApply(b.leave(hunt, 7))
	cmd := b.dig(hunt, 7)
	b.wantRejection(b.apply(cmd), pb.Rejection_REJECTION_NOT_JOINED)
	b.wantRejection(b.apply(again(cmd)), pb.Rejection_REJECTION_NOT_JOINED) // it is not remembered: it was not applied
	if version := b.getPlayer(hunt, 7).GetPlayer().GetVersion(); version != 2 {
		b.Errorf("the player is at version %d after what was rejected; want 2", version)
	}
}

func commandsAreChecked(b *bench) {
	hunt := b.hunt()
	spoilt := func(spoil func(*pb.Command)) *pb.Command {
		cmd := b.join(hunt, 7)
		spoil(cmd)
		return cmd
	}
	use := func(name string) func(*pb.Command) {
		return func(c *pb.Command) {
			c.Action = &pb.Command_UsePowerUp{UsePowerUp: &pb.UsePowerUp{PowerUp: name}}
		}
	}
	for _, test := range []struct {
		cmd   *pb.Command
		field string
	}{
		{spoilt(func(c *pb.Command) { c.HuntId = "two words" }), "hunt_id"},
		{spoilt(func(c *pb.Command) { c.HuntId, c.PlayerId = "", 0 }), "hunt_id"}, // the first that is wrong
		{spoilt(func(c *pb.Command) { c.PlayerId = 0 }), "player_id"},
		{spoilt(func(c *pb.Command) { c.RequestId = 0 }), "request_id"},
		{spoilt(func(c *pb.Command) { c.Action = nil }), "action"},
		{spoilt(use("")), "power_up"},
		{spoilt(use("a-name-that-is-longer-than-32-bytes")), "power_up"},
		{spoilt(func(c *pb.Command) { c.HuntId, c.PlayerId = newID(), 0 }), "player_id"}, // before the hunt is looked for
	} {
		outcome := b.apply(test.cmd)
		b.wantRefusal(outcome, pb.Refusal_REASON_INVALID)
		if got := outcome.GetRefusal().GetDetail(); got != test.field || outcome.GetRequestId() != test.cmd.GetRequestId() {
			b.Errorf("%v: request %d, detail %q; want %q", test.cmd, outcome.GetRequestId(), got, test.field)
		}
	}
}

func unknownHuntIsRefused(b *bench) {
	cmd := b.join(newID(), 7)
	outcome := b.apply(cmd)
	b.wantRefusal(outcome, pb.Refusal_REASON_UNKNOWN_HUNT)
	if outcome.GetRequestId() != cmd.GetRequestId() {
		b.Errorf("answered with request %d; want %d", outcome.GetRequestId(), cmd.GetRequestId())
	}
}

func epochIsHeld(b *bench) {
	req := b.createRequest(newID())
	epoch := b.create(req).GetEpoch()
	cmd := b.join(req.GetHuntId(), 7)
	cmd.Epoch = epoch + 1
	b.wantRefusal(b.apply(cmd), pb.Refusal_REASON_STALE_EPOCH)
	cmd = again(cmd)
	cmd.Epoch = epoch
	b.mustApply(cmd) // and so it was not applied before
}

func versionIsHeld(b *bench) {
	hunt := b.hunt()
	early := b.join(hunt, 7)
	early.ExpectedVersion = 1
	b.wantVerdict(b.apply(early), pb.Verdict_VERDICT_REJECTED) // not there yet: at version 0
	b.mustApply(b.join(hunt, 7))
	wrong := b.leave(hunt, 7)
	wrong.ExpectedVersion = 2
	b.wantRejection(b.apply(wrong), pb.Rejection_REJECTION_VERSION_MISMATCH)
	right := again(wrong)
	right.ExpectedVersion = 1
	b.mustApply(right)
}

func requestIsRepeated(b *bench) {
	hunt := b.hunt()
	var cmds []*pb.Command
	var first []*pb.Outcome
	for i := range rememberedMax {
		cmd := b.join(hunt, 7)
		if i%2 == 1 {
			cmd = b.leave(hunt, 7)
		}
		cmds, first = append(cmds, cmd), append(first, b.mustApply(cmd))
	}
	for i, cmd := range cmds {
		outcome := b.apply(again(cmd))
		b.wantVerdict(outcome, pb.Verdict_VERDICT_DUPLICATE)
		if outcome.GetSequence() != first[i].GetSequence() || outcome.GetRequestId() != cmd.GetRequestId() {
			b.Errorf("request %d is said to be applied at %d, as request %d; it was at %d", cmd.GetRequestId(), outcome.GetSequence(), outcome.GetRequestId(), first[i].GetSequence())
		}
	}
	if shown := b.getPlayer(hunt, 7); shown.GetPlayer().GetVersion() != rememberedMax || shown.GetPresent() {
		b.Errorf("after the repeats the player is %v; %d commands were applied, the last a Leave", shown, rememberedMax)
	}
	b.mustApply(b.join(hunt, 8)) // another player's requests are their own
}

// oldRequestIsNotApplied leaves open how much more than 4 requests of a player an
// engine remembers: what it forgot it must not apply.
func oldRequestIsNotApplied(b *bench) {
	hunt := b.hunt()
	oldest := b.join(hunt, 7)
	b.mustApply(oldest)
	for i := range 2 * rememberedMax {
		if i%2 == 0 {
			b.mustApply(b.leave(hunt, 7))
			continue
		}
		b.mustApply(b.join(hunt, 7))
	}
	before := b.getPlayer(hunt, 7)
	outcome := b.apply(again(oldest))
	if outcome.GetVerdict() != pb.Verdict_VERDICT_DUPLICATE {
		b.wantRefusal(outcome, pb.Refusal_REASON_REQUEST_TOO_OLD)
	}
	b.wantSame("the player after it", b.getPlayer(hunt, 7).GetPlayer(), before.GetPlayer())
}

func requestIsShared(b *bench) {
	hunt := b.hunt()
	cmd := b.join(hunt, 7)
	outcomes := make([]*pb.Outcome, 16)
	var all sync.WaitGroup
	for i := range outcomes {
		all.Go(func() {
			outcome, err := b.engine.Apply(b.ctx(), again(cmd))
			if err != nil {
				b.Errorf("caller %d: %v", i, err)
			}
			outcomes[i] = outcome
		})
	}
	all.Wait()
	applied := 0
	for i, outcome := range outcomes {
		if outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED {
			applied++
			continue
		}
		if outcome.GetVerdict() != pb.Verdict_VERDICT_DUPLICATE {
			b.Errorf("caller %d: %v", i, outcome)
		}
	}
	if applied != 1 {
		b.Errorf("one request of %d callers was applied %d times", len(outcomes), applied)
	}
}

func batchIsInOrder(b *bench) {
	hunts := []string{b.hunt(), b.hunt(), b.hunt()}
	var cmds []*pb.Command
	for id := uint64(1); len(cmds)+rememberedMax <= playerstate.MaxBatch; id++ {
		hunt := hunts[id%uint64(len(hunts))]
		mine := []*pb.Command{b.join(hunt, id), b.leave(hunt, id), b.join(hunt, id), b.leave(hunt, id)}
		for i, cmd := range mine {
			cmd.ExpectedVersion = uint32(i) // holds only in this order
		}
		cmds = append(cmds, mine...)
	}
	outcomes := b.applyBatch(cmds)
	last := map[player]uint64{}
	for i, outcome := range outcomes {
		if outcome.GetRequestId() != cmds[i].GetRequestId() {
			b.Fatalf("outcome %d is that of request %d; command %d is request %d", i, outcome.GetRequestId(), i, cmds[i].GetRequestId())
		}
		if outcome.GetVerdict() != pb.Verdict_VERDICT_APPLIED {
			b.Fatalf("command %d of a player: %v; want APPLIED, as they were given in order", i%4+1, outcome)
		}
		who := playerOf(cmds[i])
		if outcome.GetSequence() <= last[who] {
			b.Fatalf("command %d: sequence %d after %d of the same player", i, outcome.GetSequence(), last[who])
		}
		last[who] = outcome.GetSequence()
	}
}

type player struct {
	hunt string
	id   uint64
}

func playerOf(cmd *pb.Command) player { return player{hunt: cmd.GetHuntId(), id: cmd.GetPlayerId()} }

func batchIsBounded(b *bench) {
	hunt := b.hunt()
	_, err := b.engine.ApplyBatch(b.ctx(), nil)
	b.wantField(err, "commands")
	many := make([]*pb.Command, playerstate.MaxBatch+1)
	for i := range many {
		many[i] = b.join(hunt, uint64(i+1))
	}
	_, err = b.engine.ApplyBatch(b.ctx(), many)
	b.wantField(err, "commands")
	if players := b.getHunt(hunt, 0).GetPlayers(); players != 0 {
		b.Errorf("%d of the commands of a batch that was refused were applied", players)
	}
}

func neighboursAreSpared(b *bench) {
	hunt := b.hunt()
	before := b.join(hunt, 1)
	b.mustApply(before)
	malformed := b.join(hunt, 2)
	malformed.HuntId = "two words"
	stale := b.join(hunt, 3)
	stale.Epoch = 99
	cmds := []*pb.Command{
		b.join(hunt, 4), malformed, b.join(newID(), 5), stale, again(before), b.dig(hunt, 6), b.join(hunt, 7),
	}
	outcomes := b.applyBatch(cmds)
	b.wantVerdict(outcomes[0], pb.Verdict_VERDICT_APPLIED)
	b.wantRefusal(outcomes[1], pb.Refusal_REASON_INVALID)
	b.wantRefusal(outcomes[2], pb.Refusal_REASON_UNKNOWN_HUNT)
	b.wantRefusal(outcomes[3], pb.Refusal_REASON_STALE_EPOCH)
	b.wantVerdict(outcomes[4], pb.Verdict_VERDICT_DUPLICATE)
	b.wantRejection(outcomes[5], pb.Rejection_REJECTION_NOT_JOINED)
	b.wantVerdict(outcomes[6], pb.Verdict_VERDICT_APPLIED)
	if players := b.getHunt(hunt, 0).GetPlayers(); players != 3 {
		b.Errorf("%d players are there; players 1, 4 and 7 joined", players)
	}
}

func messagesAreCallers(b *bench) {
	req := b.createRequest(newID())
	kept := proto.CloneOf(req)
	answer := b.create(req)
	req.Settings.Seed, req.Settings.Width = 99, 1 // the engine must not look at it again
	answer.Epoch, answer.StartsAtMs = 99, 99      // nor give it to others
	shown := b.getHunt(kept.GetHuntId(), 0)
	b.wantSame("the settings after the caller changed the request", shown.GetSettings(), kept.GetSettings())
	shown.GetSettings().Seed = 99
	if repeated := b.create(kept); repeated.GetEpoch() == 99 || repeated.GetStartsAtMs() == 99 {
		b.Errorf("the answer that a caller changed is given to others: %v", repeated)
	}

	cmd := b.join(kept.GetHuntId(), 7)
	untouched := again(cmd)
	outcome := b.mustApply(cmd)
	b.wantSame("the command after Apply", cmd, untouched)
	version := outcome.GetPlayer().GetVersion()
	outcome.GetPlayer().Version, cmd.PlayerId = 99, 8
	cmd.RequestId = b.requests.Next()
	b.mustApply(cmd) // one message for one command after the other
	if got := b.getPlayer(kept.GetHuntId(), 7).GetPlayer().GetVersion(); got != version {
		b.Errorf("the player is at version %d after the caller changed an outcome; want %d", got, version)
	}
}
