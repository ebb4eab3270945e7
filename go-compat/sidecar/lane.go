package sidecar

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
	"treasurehunt.example/go-compat/sidecar/internal/onecall"
)

// lane is a queue of commands and the one goroutine that sends them, one call at
// a time; while few commands come, the first lane's sends for all (see fleet). Safe for
// concurrent use, but for run, which is called once.
type lane struct {
	fleet   *fleet
	conn    *onecall.Conn
	tracer  trace.Tracer
	metrics *metrics
	full    *pb.Refusal // what a command is answered when the queue is full
	max     int         // commands in the queue

	mu     sync.Mutex // guards queue and closed; never held over a call
	queue  queue
	closed bool
	pushed atomic.Uint64 // commands that were ever queued; written under mu, read without

	idle chan struct{} // holds a value while no sender has hold of this lane
	wake chan struct{} // holds a value when there may be something to do
	done chan struct{} // closed when run has returned

	// The sender's own.
	crew     []*lane // whose commands the batch has: those that it has hold of
	batch    batch
	message  []byte
	outcomes outcomes
	late     []*call
	linger   linger
}

func newLane(fleet *fleet, conn *onecall.Conn, config Config, m *metrics) *lane {
	l := &lane{
		fleet:   fleet,
		conn:    conn,
		tracer:  config.TracerProvider.Tracer(tracerName),
		metrics: m,
		full: &pb.Refusal{
			Reason: pb.Refusal_REASON_OVERLOADED,
			Detail: fmt.Sprintf("%d commands wait in this lane of the sidecar client, the most of QueueCommands (see %s); send less, or try again later",
				config.QueueCommands, metricQueueCommands),
		},
		max:    config.QueueCommands,
		idle:   make(chan struct{}, 1),
		wake:   make(chan struct{}, 1),
		done:   make(chan struct{}),
		batch:  batch{players: make(map[uint64]int)},
		linger: linger{most: config.Linger},
	}
	l.idle <- struct{}{}
	return l
}

// put queues calls, in order. Those that find no room, or the lane closed, are
// answered before put returns.
func (l *lane) put(calls ...*call) {
	queued, wasClosed := l.push(calls)
	for _, c := range calls[queued:] {
		if wasClosed {
			c.fail(closed())
			continue
		}
		l.metrics.queueFull.Inc()
		c.resolve(playerstate.Refused(c.requestID, &pb.Refusal{Reason: l.full.Reason, Detail: l.full.Detail}))
	}
	if queued > 0 {
		l.fleet.senderOf(l).nudge()
	}
}

func (l *lane) push(calls []*call) (queued int, wasClosed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, true
	}
	queued = min(len(calls), l.max-l.queue.commands)
	l.pushed.Add(uint64(queued))
	for _, c := range calls[:queued] {
		l.queue.push(c)
	}
	return queued, false
}

func (l *lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already
	}
}

// withdraw takes a call back that was not sent yet. False: it is under way or answered.
func (l *lane) withdraw(c *call) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !c.queued {
		return false
	}
	l.queue.remove(c)
	return true
}

// waiting is how many commands are queued.
func (l *lane) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue.commands
}

// close lets nothing more in. The sender ends when the queue is empty.
func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.nudge()
}

// run sends until the lane is closed and its queue empty. When ctx is over, the
// call that is out ends, and what is queued fails unsent.
func (l *lane) run(ctx context.Context) {
	defer close(l.done)
	if s, err := newSleeper(); err == nil { // else it never lingers
		defer s.close()
		l.linger.sleep = s.sleep
	}
	for {
		if sender := l.fleet.senderOf(l); sender != l {
			if l.waiting() > 0 { // what came while it was not
				sender.nudge()
			}
			<-l.wake
			continue
		}
		l.board()
		sent := l.sendNext(ctx)
		l.disembark()
		switch {
		case sent:
		case l.drained():
			return
		default:
			<-l.wake
		}
	}
}

// board takes hold of the lanes whose commands the next call carries: this one, and of
// those that it sends for all of which no call is out.
func (l *lane) board() {
	<-l.idle
	l.crew = append(l.crew[:0], l)
	for _, other := range l.fleet.carriedBy(l) {
		select {
		case <-other.idle:
			l.crew = append(l.crew, other)
		default:
		}
	}
}

func (l *lane) disembark() {
	for _, lane := range l.crew {
		lane.idle <- struct{}{}
	}
}

// sendNext makes the next call, if anything is queued, and answers what it came to.
func (l *lane) sendNext(ctx context.Context) (sent bool) {
	now := time.Now()
	l.batch.reset()
	l.gather(now)
	if len(l.batch.calls) > 0 && l.linger.pays(l.batch.calls, now) && ctx.Err() == nil {
		l.metrics.lingers.Inc()
		l.linger.wait()
		l.gather(time.Now())
	}
	for _, c := range l.late {
		c.resolve(&pb.Outcome{RequestId: c.requestID, Verdict: pb.Verdict_VERDICT_EXPIRED})
	}
	clear(l.late)
	l.late = l.late[:0]
	if len(l.batch.calls) == 0 {
		return false
	}
	l.send(ctx)
	l.fleet.turn(l)
	return true
}

func (l *lane) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

func (l *lane) drained() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed && l.queue.commands == 0
}

// gather moves what is queued into the batch, as far as it has room, and what is
// past its deadline into late. An empty batch means that the queues are empty too.
func (l *lane) gather(now time.Time) {
	for _, from := range l.crew {
		l.gatherFrom(from, now)
	}
}

func (l *lane) gatherFrom(from *lane, now time.Time) {
	from.mu.Lock()
	defer from.mu.Unlock()
	var next *call
	for c := from.queue.first; c != nil && !l.batch.full(c); c = next {
		next = c.next
		switch {
		case !c.deadline.After(now):
			from.queue.remove(c)
			l.late = append(l.late, c)
		case l.batch.takes(c):
			from.queue.remove(c)
			l.batch.add(c)
		}
	}
}

// arrivals is how many commands were ever queued for its crew.
func (l *lane) arrivals() (commands uint64) {
	for _, lane := range l.crew {
		commands += lane.pushed.Load()
	}
	return commands
}

// send makes the call and answers every command in the batch.
func (l *lane) send(ctx context.Context) {
	if ctx.Err() != nil {
		l.batch.fail(closed())
		return
	}
	l.metrics.sending(len(l.batch.calls))
	defer l.metrics.sent()

	span, traceparent := startSpan(l.tracer, l.batch.calls)
	defer span.End()
	sent, before := time.Now(), l.arrivals()
	l.message = l.batch.append(onecall.Prefix(l.message[:0]), sent)
	answer, failure := l.conn.Call(ctx, onecall.Call{Until: l.batch.until(), Traceparent: traceparent, Message: l.message})
	// Before anybody is answered: who is may come again at once.
	l.linger.landed(time.Since(sent), len(l.batch.calls), l.arrivals()-before)
	if failure == nil {
		l.answer(answer)
		return
	}
	span.SetStatus(otelcodes.Error, failure.Status.Message())
	if ctx.Err() != nil && failure.Sent {
		l.batch.fail(playerstate.Unknown(codes.Unavailable, "the sidecar client was closed while the command was under way"))
		return
	}
	l.batch.fail(failureOfCall(failure))
}

// answer hands the outcomes of a message to the batch.
func (l *lane) answer(message []byte) {
	defer l.outcomes.reset()
	if err := l.outcomes.read(message); err != nil {
		l.batch.fail(playerstate.Unknown(codes.Internal, "the sidecar's answer cannot be read: %s", err))
		return
	}
	l.batch.resolve(l.outcomes.all)
}
