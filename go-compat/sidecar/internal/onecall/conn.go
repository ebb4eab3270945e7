package onecall

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Config says whom to call, and what. All of it is needed.
type Config struct {
	// Dial makes a connection, within its ctx.
	Dial func(ctx context.Context) (net.Conn, error)
	// Authority is the :authority of the calls.
	Authority string
	// Method is "/package.Service/Method".
	Method string
	// ReplyBytesMax is the most that an answer may have.
	ReplyBytesMax int
}

const (
	// connectTimeMax is how long one attempt to connect may take, greetings included.
	connectTimeMax = 2 * time.Second
	// A server that was started again should be found within a fraction of a second.
	pauseMin, pauseMax = 20 * time.Millisecond, 250 * time.Millisecond
	pauseGrows         = 1.6
	pauseJitter        = 0.2
	// livedLong is how long a connection lasts that is made again without a pause.
	livedLong = time.Second
)

// Conn is a connection that comes up on its own and stays up. Call is for one goroutine
// at a time; the rest is safe for concurrent use.
type Conn struct {
	config Config
	abort  context.CancelFunc
	done   chan struct{} // closed when run has returned
	timer  *time.Timer   // of the call that is out

	mu    sync.Mutex // guards state
	state state
}

// state is replaced whole.
type state struct {
	link    *link         // nil while there is none
	why     *Error        // why there is none; nil while the first attempt is made since there was one
	changed chan struct{} // closed when another state is in its place
}

// New begins to connect, and does not wait for it.
func New(config Config) *Conn {
	ctx, abort := context.WithCancel(context.Background())
	timer := time.NewTimer(0)
	timer.Stop()
	c := &Conn{config: config, abort: abort, done: make(chan struct{}), timer: timer, state: state{changed: make(chan struct{})}}
	go c.run(ctx)
	return c
}

// Close ends the connection, and the call that is out.
func (c *Conn) Close() {
	c.abort()
	<-c.done
}

// Ready says whether a call would be sent at once.
func (c *Conn) Ready() bool { return c.now().link != nil }

func (c *Conn) now() state {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *Conn) become(link *link, why *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.state.changed)
	c.state = state{link, why, make(chan struct{})}
}

// run connects, and reads what comes, again and again.
func (c *Conn) run(ctx context.Context) {
	defer close(c.done)
	pause := pauseMin
	for ctx.Err() == nil {
		link, err := c.connect(ctx)
		if err != nil {
			c.become(nil, away(err))
			pause = rest(ctx, pause)
			continue
		}
		c.become(link, nil)
		began := time.Now()
		lost := link.read()
		c.become(nil, nil)
		link.end(lost)
		if time.Since(began) >= livedLong {
			pause = pauseMin
			continue
		}
		pause = rest(ctx, pause)
	}
	c.become(nil, away(errors.New("it was closed here")))
}

// rest waits, and says how long the next wait is.
func rest(ctx context.Context, pause time.Duration) time.Duration {
	jittered := float64(pause) * (1 + pauseJitter*(2*rand.Float64()-1))
	select {
	case <-time.After(time.Duration(jittered)):
	case <-ctx.Done():
	}
	return min(time.Duration(float64(pause)*pauseGrows), pauseMax)
}

// connect makes a link that is ready for calls.
func (c *Conn) connect(ctx context.Context) (*link, error) {
	dialing, cancel := context.WithTimeout(ctx, connectTimeMax)
	defer cancel()
	conn, err := c.config.Dial(dialing)
	if err != nil {
		return nil, err
	}
	// Whatever waits for the connection, Close ends it.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	link := newLink(conn, c.config, func() { stop(); _ = conn.Close() })
	if err := link.greet(time.Now().Add(connectTimeMax)); err != nil {
		link.hangUp()
		return nil, err
	}
	return link, nil
}

// Call is what is sent.
type Call struct {
	// Until is the deadline, which the server is told.
	Until time.Time
	// Traceparent is the W3C header, empty for none.
	Traceparent string
	// Message is the request behind a [Prefix], and not looked at once Call has returned.
	Message []byte
}

// Call makes one call. The answer is valid until the next one. It returns at once when
// there is no connection and the last attempt at one failed, and when ctx is over.
func (c *Conn) Call(ctx context.Context, call Call) ([]byte, *Error) {
	c.timer.Reset(time.Until(call.Until))
	defer c.timer.Stop()
	for {
		now := c.now()
		if now.why != nil {
			return nil, now.why
		}
		if now.link != nil {
			reply, err, taken := now.link.call(ctx, c.timer.C, call)
			if taken {
				return reply, err
			}
		}
		select {
		case <-now.changed:
		case <-c.timer.C:
			return nil, expired(false)
		case <-ctx.Done():
			return nil, cancelled(false)
		}
	}
}

// Error is a call that was not answered, or was answered with an error.
type Error struct {
	// Status is what the server said, or else what became of the call.
	Status *status.Status
	// Sent says that the server may have seen it.
	Sent bool
	// Away says that there is no connection, or that it was lost.
	Away bool
}

func away(why error) *Error {
	return &Error{Status: status.New(codes.Unavailable, "no connection: "+why.Error()), Away: true}
}

func lost(why error) *Error {
	return &Error{Status: status.New(codes.Unavailable, "the connection was lost: "+why.Error()), Away: true, Sent: true}
}

func expired(sent bool) *Error {
	return &Error{Status: status.FromContextError(context.DeadlineExceeded), Sent: sent}
}

func cancelled(sent bool) *Error {
	return &Error{Status: status.FromContextError(context.Canceled), Sent: sent}
}

func broken(text string) *Error {
	return &Error{Status: status.New(codes.Internal, text), Sent: true}
}
