package sidecar

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// batch is the commands of one ApplyBatch. Its bounds are the schema's: so many
// commands, so many bytes, so many of one player. Not safe for concurrent use.
type batch struct {
	calls   []*call
	bytes   int            // of the message, at most
	players map[uint64]int // how many commands of each player are in it
}

// reset empties the batch and lets go of its calls.
func (b *batch) reset() {
	clear(b.calls)
	clear(b.players)
	b.calls, b.bytes = b.calls[:0], 0
}

// full says that c, and so whatever stands behind it, must wait for the next batch.
func (b *batch) full(c *call) bool {
	return len(b.calls) == playerstate.MaxBatch || b.bytes+wireBytesMax(len(c.encoded)) > playerstate.MaxMessageBytes
}

// takes says that c's player has room left. One that has not is left in the
// queue, with all that stands behind it of that player, so their order is kept.
func (b *batch) takes(c *call) bool {
	return b.players[c.player] < playerCommandsMax
}

func (b *batch) add(c *call) {
	b.calls = append(b.calls, c)
	b.bytes += wireBytesMax(len(c.encoded))
	b.players[c.player]++
}

// until is when the last of its callers leaves: the call must not end before any of
// them has an answer. A command's own deadline, which may be sooner, is its budget.
func (b *batch) until() time.Time {
	latest := b.calls[0].until
	for _, c := range b.calls[1:] {
		if c.until.After(latest) {
			latest = c.until
		}
	}
	return latest
}

// resolve hands each command its outcome. Outcomes that cannot belong to the
// commands say nothing of what was done.
func (b *batch) resolve(outcomes []*pb.Outcome) {
	if len(outcomes) != len(b.calls) {
		b.fail(playerstate.Unknown(codes.Internal, "the sidecar answered %d outcomes to %d commands", len(outcomes), len(b.calls)))
		return
	}
	for i, c := range b.calls {
		if got := outcomes[i].GetRequestId(); got != c.requestID {
			c.fail(playerstate.Unknown(codes.Internal, "the sidecar answered request %d where %d stood", got, c.requestID))
			continue
		}
		c.resolve(outcomes[i])
	}
}

func (b *batch) fail(failure *playerstate.Failure) {
	for _, c := range b.calls {
		c.fail(failure)
	}
}

// append writes the batch as an ApplyBatchRequest. The budgets are what is left
// of each command's time at now.
//
// The commands are encoded already. Behind each stands its budget_ms: in protobuf
// the last value of a field is the one that counts.
func (b *batch) append(message []byte, now time.Time) []byte {
	for _, c := range b.calls {
		budget := uint64(budgetMs(c.deadline.Sub(now)))
		size := len(c.encoded) + protowire.SizeTag(budgetField) + protowire.SizeVarint(budget)
		message = protowire.AppendTag(message, commandsField, protowire.BytesType)
		message = protowire.AppendVarint(message, uint64(size))
		message = append(message, c.encoded...)
		message = protowire.AppendTag(message, budgetField, protowire.VarintType)
		message = protowire.AppendVarint(message, budget)
	}
	return message
}

// budgetMs rounds up, and is never 0: that would mean the call's own deadline.
func budgetMs(left time.Duration) uint32 {
	return uint32(max((left+time.Millisecond-1)/time.Millisecond, 1))
}

// wireBytesMax is the most that a command of so many encoded bytes takes in a
// batch: the frame around it and its budget.
func wireBytesMax(encoded int) int {
	const budgetBytesMax = 1 + 5
	return protowire.SizeTag(commandsField) + protowire.SizeBytes(encoded+budgetBytesMax)
}
