package legacy

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/internal/gate"
	"treasurehunt.example/go-compat/legacy/rules"
	"treasurehunt.example/go-compat/playerstate"
)

// hunt is one hunt and its goroutine. Others talk to it through the mailbox only.
type hunt struct {
	// These never change.
	id      string
	serial  uint64 // orders the hunts of a batch
	answer  *pb.CreateHuntResponse
	dueAtMs int64 // when its time is up
	engine  *Engine

	// time begins anew when the hunt is activated. Its goroutine sets it; the sweep reads.
	time atomic.Pointer[huntTime]

	// These are how others reach it.
	mailbox chan job
	door    *gate.Gate    // senders to the mailbox are inside
	opened  chan struct{} // closed when record 1 is in the feed
	retire  context.CancelFunc
	life    context.Context // over when it has to go

	// ended is when its end was recorded, by the engine's clock; 0 before.
	ended atomic.Int64

	// These belong to its goroutine.
	game        *rules.Hunt
	recovered   bool   // kept over a restart, and not claimed yet: nothing is answered but who owns it
	epochFirst  uint64 // the sequence of the first record of its epoch
	quarantined bool
	scratch     []byte
}

// job is what a mailbox holds: a part of a call, or a question.
type job struct {
	call *call
	part []target
	ask  *question
}

// question is a call that is no command. The hunt answers it in its own time; a
// caller who left is not there to look.
type question struct {
	answer    func(h *hunt, atMs int64) *playerstate.Failure
	ownership bool                      // of who owns the hunt: answered in every state, and changes nothing by the time
	done      chan *playerstate.Failure // has room for the one answer
	stage     atomic.Int32
}

// post puts a job into the mailbox. It never waits.
func (h *hunt) post(j job) posted {
	if !h.door.Enter() {
		return postedGone
	}
	defer h.door.Leave()
	select {
	case h.mailbox <- j:
		return postedOK
	default:
		return postedFull
	}
}

type posted uint8

const (
	postedOK   posted = iota
	postedFull        // the mailbox is at its bound
	postedGone        // the hunt was dropped
)

// run is the life of the hunt's goroutine.
func (h *hunt) run() {
	h.guard(func() { h.append(h.game.CreatedRecord(), false) })
	close(h.opened)
	for {
		select {
		case j := <-h.mailbox:
			h.serve(j)
		case <-h.life.Done():
			h.goAway()
			return
		}
	}
}

// goAway refuses what is still in the mailbox, once nobody can add to it, and
// gives the hunt's room back.
func (h *hunt) goAway() {
	<-h.door.Shut() // senders never wait, so this is short
	for {
		select {
		case j := <-h.mailbox:
			h.turnAway(j)
		default:
			h.engine.room.give(h.game.Settings(), h.game.Joined())
			return
		}
	}
}

func (h *hunt) turnAway(j job) {
	if j.ask != nil {
		j.ask.done <- h.unknown()
		return
	}
	for _, t := range j.part {
		j.call.outcomes[t.at] = h.refuse(j.call.commands[t.at].RequestID, h.goneRefusal())
	}
	j.call.finish()
}

// serve does one job. A panic in it costs this hunt, and no other.
func (h *hunt) serve(j job) {
	if j.ask != nil {
		h.reply(j.ask)
		return
	}
	defer j.call.finish()
	if !j.call.begin() {
		return // the caller left
	}
	h.guard(func() { h.applyPart(j.call, j.part) })
	if h.quarantined {
		h.answerUnanswered(j.call, j.part)
	}
}

// answerUnanswered is for the commands that a panic left without an outcome.
func (h *hunt) answerUnanswered(c *call, part []target) {
	for _, t := range part {
		if c.outcomes[t.at] == nil {
			c.outcomes[t.at] = h.refuse(c.commands[t.at].RequestID, quarantineRefusal())
		}
	}
}

func (h *hunt) reply(q *question) {
	if !q.stage.CompareAndSwap(waiting, taken) {
		return // the caller left
	}
	q.done <- h.answerTo(q)
}

func (h *hunt) answerTo(q *question) (failure *playerstate.Failure) {
	if h.recovered && !q.ownership {
		return h.notActiveFailure()
	}
	if !h.quarantined {
		h.guard(func() {
			at := h.now()
			if !q.ownership {
				h.endIfDue(at)
			}
			failure = q.answer(h, at)
		})
	}
	if h.quarantined { // before, or by this
		failure = h.quarantinedFailure()
	}
	return failure
}

// guard quarantines the hunt if work panics: its state may be half changed, so
// nothing is ever read from it again.
func (h *hunt) guard(work func()) {
	defer func() {
		if cause := recover(); cause != nil {
			h.quarantined = true
			h.engine.counters.panics.Inc()
			h.engine.log.Error("a hunt panicked and is quarantined", "hunt", h.id, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
		}
	}()
	work()
}

func (h *hunt) now() int64 { return h.time.Load().atMs(h.engine.clock.Elapsed()) }

// applyPart applies the commands of a call that are for this hunt, in order.
func (h *hunt) applyPart(c *call, part []target) {
	many := len(c.commands) > 1
	for _, t := range part {
		if c.abandoned() {
			return
		}
		outcome := h.applyOne(c, &c.commands[t.at])
		c.outcomes[t.at] = outcome
		if many {
			c.bytes.Add(int64(proto.Size(outcome)))
		}
	}
}

// applyOne is "Order of the checks" from the budget on; the rest is the rules'.
func (h *hunt) applyOne(c *call, cmd *command) *pb.Outcome {
	elapsed := h.engine.clock.Elapsed()
	switch {
	case elapsed >= cmd.expires:
		h.engine.counters.expired.Inc()
		return &pb.Outcome{RequestId: cmd.RequestID, Verdict: pb.Verdict_VERDICT_EXPIRED}
	case h.quarantined:
		return h.refuse(cmd.RequestID, quarantineRefusal())
	case h.recovered:
		return h.refuse(cmd.RequestID, h.notActiveRefusal())
	case cmd.epoch != 0 && cmd.epoch != h.game.Epoch():
		return h.refuse(cmd.RequestID, &pb.Refusal{Reason: pb.Refusal_REASON_STALE_EPOCH, Epoch: h.game.Epoch()})
	case c.bytes.Load() >= playerstate.MaxBatchOutcomeBytes:
		return h.refuse(cmd.RequestID, overloaded("the batch's outcomes reached %d bytes; send less at once", playerstate.MaxBatchOutcomeBytes))
	case h.isCrowded(cmd):
		return h.refuse(cmd.RequestID, overloaded("the engine is at its limit of %d players (see legacy_players)", h.engine.limits.Players))
	}
	at := h.time.Load().atMs(elapsed)
	h.endIfDue(at)
	before := h.game.Joined()
	outcome, err := h.game.Apply(cmd.Command, at)
	if err != nil { // the monotonic clock fell
		panic(err)
	}
	if refusal := outcome.GetRefusal(); refusal != nil {
		h.engine.counters.refused(refusal.GetReason())
	}
	if outcome.GetVerdict() == pb.Verdict_VERDICT_APPLIED {
		h.engine.room.players.Add(int64(h.game.Joined() - before))
		h.append(h.game.AppliedRecord(cmd.Command, outcome), cmd.Action == rules.Move)
	}
	return outcome
}

// isCrowded tells a newcomer for whom the engine has no room.
func (h *hunt) isCrowded(cmd *command) bool {
	return cmd.Action == rules.Join && h.engine.room.players.Load() >= h.engine.limits.Players && !h.game.Knows(cmd.PlayerID)
}

// endIfDue records the end of a hunt whose time is up, before anything is
// answered HUNT_ENDED.
func (h *hunt) endIfDue(atMs int64) {
	if h.game.Due(atMs) {
		h.end(atMs)
	}
}

// end ends the hunt, once.
func (h *hunt) end(atMs int64) {
	first, err := h.game.End(atMs)
	if err != nil { // the monotonic clock fell
		panic(err)
	}
	if first {
		h.append(h.game.EndedRecord(), false)
		h.ended.Store(int64(max(h.engine.clock.Elapsed(), 1)))
	}
}

// append puts a record into the feed, as bytes of its own.
func (h *hunt) append(record *pb.Record, move bool) {
	bytes, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(h.scratch[:0], record)
	if err != nil {
		panic(err)
	}
	h.scratch = bytes
	h.engine.feed.ring.append(h.id, record.GetSequence(), move, append(make([]byte, 0, len(bytes)), bytes...))
}
