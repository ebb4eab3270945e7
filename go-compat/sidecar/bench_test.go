package sidecar

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// BenchmarkApply is the whole way of a command to a server in this process that
// does nothing, and back; so it counts the server's share too.
func BenchmarkApply(b *testing.B) {
	for _, callers := range []int{1, 128, 1024} {
		b.Run("callers="+strconv.Itoa(callers), func(b *testing.B) {
			f := startFake(b, nil)
			f.forget = true
			c := f.client(b, Config{Lanes: 2})
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			b.ReportAllocs()
			var next atomic.Uint64
			var all sync.WaitGroup
			for player := range uint64(callers) {
				all.Go(func() {
					cmd := &pb.Command{HuntId: "bench", PlayerId: player + 1, Action: &pb.Command_Move{Move: &pb.Move{X: 3, Y: 4}}}
					for id := next.Add(1); id <= uint64(b.N); id = next.Add(1) {
						cmd.RequestId = id
						if _, err := c.Apply(ctx, cmd); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// BenchmarkQueue is the client's own part: from a command to its place in a message.
func BenchmarkQueue(b *testing.B) {
	c := startFake(b, nil).client(b, Config{})
	lane := newLane(&fleet{}, nil, Config{QueueCommands: 1024}.withDefaults(), c.metrics)
	lane.board()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	calls := make([]call, 1024)
	var message []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		call := &calls[i%len(calls)]
		cmd := dig(uint64(i)+1, uint64(i)+1)
		if refusal := c.prepare(ctx, time.Now().Add(time.Minute), call, cmd); refusal != nil {
			b.Fatal(refusal)
		}
		lane.put(call)
		if i%len(calls) == len(calls)-1 {
			lane.batch.reset()
			lane.gather(time.Now())
			message = lane.batch.append(message[:0], time.Now())
		}
	}
}
