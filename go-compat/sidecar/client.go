package sidecar

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"google.golang.org/grpc"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/sidecar/internal/onecall"
)

// Client is the sidecar as the services of a shard see it. It is also a
// [prometheus.Collector] of its own metrics. Safe for concurrent use.
type Client struct {
	fleet
	commands  pb.PlayerStateServiceClient // hunts and reads
	feed      pb.EventFeedServiceClient
	ownership pb.OwnershipServiceClient
	calls     *gate // of commands and ownership
	feedCalls *gate // of feed
	metrics   *metrics
	seed      maphash.Seed // of the hash that chooses a player's lane
	portion   int          // the most commands that ApplyAll queues at once

	conns     []*grpc.ClientConn
	abort     context.CancelFunc // ends the calls of the lanes
	closeOnce sync.Once
	closeErr  error
	singles   sync.Pool // of *single
}

var (
	_ playerstate.Engine = (*Client)(nil)
	_ playerstate.Mover  = (*Client)(nil)
)

// Dial makes a client. It does not wait for the sidecar: while that is away,
// calls fail with codes.Unavailable at once, and nothing of them was applied. An
// error is a Config that cannot work.
func Dial(config Config) (*Client, error) {
	config = config.withDefaults()
	if err := config.check(); err != nil {
		return nil, err
	}
	c := &Client{
		calls:     newGate(config.CallsInFlight),
		feedCalls: newGate(config.CallsInFlight),
		metrics:   newMetrics(),
		seed:      maphash.MakeSeed(),
		portion:   config.QueueCommands,
		singles:   sync.Pool{New: func() any { return newSingle() }},
	}
	if err := c.connect(config); err != nil {
		return nil, errors.Join(err, c.disconnect())
	}
	ctx, abort := context.WithCancel(context.Background())
	c.abort = abort
	for _, lane := range c.lanes {
		go lane.run(ctx)
	}
	return c, nil
}

func (c *Client) connect(config Config) error {
	for range 3 {
		conn, err := config.connect()
		if err != nil {
			return err
		}
		c.conns = append(c.conns, conn)
	}
	c.commands = pb.NewPlayerStateServiceClient(c.conns[0])
	c.feed = pb.NewEventFeedServiceClient(c.conns[1])
	c.ownership = pb.NewOwnershipServiceClient(c.conns[2])
	for range config.Lanes {
		c.lanes = append(c.lanes, newLane(&c.fleet, onecall.New(config.ofLane()), config, c.metrics))
	}
	return nil
}

func (c *Client) disconnect() error {
	var errs []error
	for _, lane := range c.lanes {
		lane.conn.Close()
	}
	for _, conn := range c.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}

// Close lets nothing new in, and waits until everything in hand is answered.
// When ctx is over first, what is queued fails unsent, what is under way fails
// with its fate unknown, and Close says so. A second Close waits for the first.
func (c *Client) Close(ctx context.Context) error {
	c.closeOnce.Do(func() { c.closeErr = c.close(ctx) })
	return c.closeErr
}

func (c *Client) close(ctx context.Context) error {
	c.calls.close()
	c.feedCalls.close()
	for _, lane := range c.lanes {
		lane.close()
	}
	err := errors.Join(c.drain(ctx), c.calls.await(ctx), c.feedCalls.await(ctx))
	c.abort()
	for _, lane := range c.lanes {
		<-lane.done
	}
	err = errors.Join(err, c.disconnect())
	if err != nil {
		return fmt.Errorf("close the sidecar client: %w", err)
	}
	return nil
}

func (c *Client) drain(ctx context.Context) error {
	for _, lane := range c.lanes {
		select {
		case <-lane.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
