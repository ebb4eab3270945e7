package sidecar

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// playersOf finds so many players of each lane.
func playersOf(c *Client, each int) [][]uint64 {
	players := make([][]uint64, len(c.lanes))
	for player := uint64(1); slices.ContainsFunc(players, func(of []uint64) bool { return len(of) < each }); player++ {
		var probe call
		c.prepare(context.Background(), time.Now(), &probe, dig(player, 1))
		if lane := c.laneIndex(&probe); len(players[lane]) < each {
			players[lane] = append(players[lane], player)
		}
	}
	return players
}

func TestWhileFewCommandsComeTheFirstLaneSendsThoseOfAll(t *testing.T) {
	batch, arrived, release := gated()
	c := startFake(t, batch).client(t, Config{Lanes: 3, Linger: -1})
	players := playersOf(c, 2)
	apply, wait := applying(within(t, 2*time.Second), t, c)
	sent := func(want int) {
		t.Helper()
		if n := <-arrived; n != want {
			t.Errorf("a call has %d commands, and should have %d", n, want)
		}
	}
	apply(players[0][0])
	sent(1)
	// Its sender is in its call, and looks at this after it: it would come to another opinion.
	c.lanes[0].linger = linger{most: time.Nanosecond, sleep: func(time.Duration) {}, flight: 1, arrived: 1e9}
	c.set(true)
	apply(players[1][0])
	apply(players[2][0])
	queued(t, c, 2)
	release <- struct{}{}
	sent(2)
	apply(players[2][1])
	queued(t, c, 1)
	c.set(false)
	await(t, "the lane's own sender to wait for it", func() bool { return len(c.lanes[2].wake) == 0 })
	if c.lanes[2].waiting() != 1 {
		t.Error("a lane sends while another has hold of it")
	}
	release <- struct{}{}
	sent(1)
	release <- struct{}{}
	wait()
}

// TestAPlayersCommandsKeepTheirOrderWhoeverSends: while the fleet turns quiet and busy again
// all the time, no two calls have commands of one player, and none passes another.
func TestAPlayersCommandsKeepTheirOrderWhoeverSends(t *testing.T) {
	// So many together that a player's take several calls.
	const players, commands, together = 20, 270, 9
	var mu sync.Mutex
	out, last := make(map[uint64]bool), make(map[uint64]uint64)
	f := startFake(t, func(_ context.Context, cmds []*pb.Command) (*pb.ApplyBatchResponse, error) {
		mine := make(map[uint64]bool)
		mu.Lock()
		for _, cmd := range cmds {
			id := cmd.GetPlayerId()
			if out[id] {
				t.Errorf("two calls have commands of player %d", id)
			}
			if cmd.GetRequestId() <= last[id] {
				t.Errorf("of player %d, %d came after %d", id, cmd.GetRequestId(), last[id])
			}
			mine[id], last[id] = true, cmd.GetRequestId()
		}
		for id := range mine {
			out[id] = true
		}
		mu.Unlock()
		time.Sleep(50 * time.Microsecond) // so that calls overlap
		mu.Lock()
		defer mu.Unlock()
		for id := range mine {
			delete(out, id)
		}
		return applied(cmds), nil
	})
	f.forget = true
	c := f.client(t, Config{Lanes: 4})
	ctx := within(t, 30*time.Second)
	var all sync.WaitGroup
	for player := range uint64(players) {
		all.Go(func() {
			for id := uint64(1); id <= commands; id += together {
				var cmds []*pb.Command
				for n := range uint64(together) {
					cmds = append(cmds, dig(player+1, id+n))
				}
				if _, err := c.ApplyAll(ctx, cmds); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	stop, turned := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(turned)
		for quiet := true; ; quiet = !quiet {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond):
				c.set(quiet)
			}
		}
	}()
	all.Wait()
	close(stop)
	<-turned
}

// TestWhatIsQueuedIsSentThoughTheSenderIsAnother: it is told so.
func TestWhatIsQueuedIsSentThoughTheSenderIsAnother(t *testing.T) {
	batch, arrived, release := gated()
	c := startFake(t, batch).client(t, Config{Lanes: 2})
	players := playersOf(c, 2)
	apply, wait := applying(within(t, 2*time.Second), t, c)
	apply(players[1][0])
	<-arrived
	apply(players[1][1])
	queued(t, c, 1)
	c.set(true)
	release <- struct{}{}
	<-arrived
	release <- struct{}{}
	wait()
}

// TestAQuietClientCloses, whichever lane has something left.
func TestAQuietClientCloses(t *testing.T) {
	batch, arrived, release := gated()
	c := startFake(t, batch).client(t, Config{Lanes: 2})
	c.set(true)
	players := playersOf(c, 2)
	ctx := within(t, 2*time.Second)
	apply, wait := applying(ctx, t, c)
	apply(players[0][0])
	<-arrived
	apply(players[1][0])
	queued(t, c, 1)
	closing := make(chan error, 1)
	go func() { closing <- c.Close(ctx) }()
	await(t, "the lanes to be closed", func() bool { return c.lanes[0].isClosed() && c.lanes[1].isClosed() })
	close(release)
	wait()
	if err := <-closing; err != nil {
		t.Error(err)
	}
}
