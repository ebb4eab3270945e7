package load

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Open is an open loop.
type Open struct {
	// Seed is what the arrivals come from.
	Seed uint64
	// PerSecond is how many commands come, on average.
	PerSecond float64
	// Length is how long they come; Done, if any, is asked once a second after it
	// whether that is enough, until LengthMax.
	Length, LengthMax time.Duration
	Done              func() bool
	// Window is the length of the parts that are also looked at by themselves.
	Window time.Duration
	// Sends are the callers, each with one command under way at most. An arrival
	// that finds none free is an error.
	Sends []Send
	// Border, if any, is called before the first arrival, when all is made ready, and
	// after the last answer.
	Border func()
}

// OpenResult is what an open loop measured. Latencies are from the time at which a
// command was to be sent, in milliseconds, and only of commands that were answered.
type OpenResult struct {
	Tally
	PerSecond float64 `json:"per_second"`
	Seconds   float64 `json:"seconds"`
	Latency   Spread  `json:"latency_ms"`
	// StallMs is the longest time in which no answer came while some were due.
	StallMs float64 `json:"stall_ms"`
	// LateMs is how much later than scheduled commands were sent: the load's own
	// share of the latencies.
	LateMs Spread `json:"late_ms"`
	// Windows are the latencies of the parts.
	Windows []Spread `json:"windows_ms"`
}

// Spread is what a histogram says, in milliseconds.
type Spread struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99_9"`
	Max   float64 `json:"max"`
}

var errNoneFree = errors.New("no caller was free: every one of them waits for an answer")

// caller has one command under way, or is free.
type caller struct {
	scheduled time.Time // of its command
	answer    func()    // sends it, and waits
}

// Run offers the load, and waits for the last answer.
func (o Open) Run(ctx context.Context) (OpenResult, error) {
	// One more for the thread that sleeps between arrivals.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU() + 1))
	m := newMeter(o.Window)
	free := make(chan *caller, len(o.Sends))
	var under sync.WaitGroup
	for _, send := range o.Sends {
		c := new(caller)
		// Made once: a closure for every arrival would be a part of what the client allocates.
		c.answer = func() {
			defer under.Done()
			m.sent(c.scheduled, time.Now())
			kind, err := send(ctx)
			m.answered(c.scheduled, time.Now(), kind, err)
			free <- c
		}
		free <- c
	}
	arrive := func(scheduled time.Time) {
		m.scheduled(scheduled)
		select {
		case c := <-free:
			c.scheduled = scheduled
			under.Add(1)
			go c.answer()
		default:
			m.answered(scheduled, time.Now(), Rejected, errNoneFree)
		}
	}
	gap := Poisson(o.Seed, o.PerSecond)
	border(o.Border)
	from := time.Now()
	m.from = from
	begin, until := from, from.Add(o.Length)
	for {
		pace(ctx, gap, begin, until, arrive)
		if ctx.Err() != nil || o.Done == nil || o.Done() || until.Sub(from) >= o.LengthMax {
			break
		}
		begin, until = until, until.Add(time.Second)
	}
	under.Wait()
	border(o.Border)
	return m.result(o.PerSecond, until.Sub(from)), ctx.Err()
}

// meter measures an open loop. Safe for concurrent use; mu guards what is below it.
type meter struct {
	from    time.Time // set before the first arrival
	window  time.Duration
	silence Silence

	mu      sync.Mutex
	tally   Tally
	all     *hdrhistogram.Histogram
	late    *hdrhistogram.Histogram
	windows []*hdrhistogram.Histogram
}

func newMeter(window time.Duration) *meter {
	return &meter{window: window, all: newHistogram(), late: newHistogram(), windows: []*hdrhistogram.Histogram{newHistogram()}}
}

// newHistogram holds microseconds up to a minute, to three digits.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Minute.Microseconds(), 3)
}

func (m *meter) scheduled(then time.Time) { m.silence.Due(then) }

func (m *meter) sent(scheduled, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	record(m.late, now.Sub(scheduled))
}

func (m *meter) answered(scheduled, now time.Time, kind Kind, err error) {
	if err != nil {
		m.silence.Failed(now)
	} else {
		m.silence.Answered(now)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tally.Count(kind, err)
	if err != nil {
		return
	}
	record(m.all, now.Sub(scheduled))
	record(m.windowOf(scheduled), now.Sub(scheduled))
}

func (m *meter) windowOf(scheduled time.Time) *hdrhistogram.Histogram {
	nth := int(scheduled.Sub(m.from) / m.window)
	for len(m.windows) <= nth {
		m.windows = append(m.windows, newHistogram())
	}
	return m.windows[nth]
}

// record counts d; what is beyond the histogram's range counts as its end.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	us := min(max(d.Microseconds(), h.LowestTrackableValue()), h.HighestTrackableValue())
	if err := h.RecordValue(us); err != nil {
		panic(fmt.Sprintf("a value within the range of the histogram: %v", err))
	}
}

func (m *meter) result(perSecond float64, length time.Duration) OpenResult {
	m.mu.Lock()
	defer m.mu.Unlock()
	result := OpenResult{
		Tally: m.tally, PerSecond: perSecond, Seconds: length.Seconds(),
		Latency: spread(m.all), LateMs: spread(m.late),
		StallMs: milliseconds(m.silence.Longest().Microseconds()),
	}
	for _, window := range m.windows {
		result.Windows = append(result.Windows, spread(window))
	}
	return result
}

// SpreadOf is the spread of latencies that somebody else measured.
func SpreadOf(latencies []time.Duration) Spread {
	all := newHistogram()
	for _, latency := range latencies {
		record(all, latency)
	}
	return spread(all)
}

func spread(h *hdrhistogram.Histogram) Spread {
	return Spread{
		Count: h.TotalCount(),
		P50:   milliseconds(h.ValueAtQuantile(50)),
		P99:   milliseconds(h.ValueAtQuantile(99)),
		P999:  milliseconds(h.ValueAtQuantile(99.9)),
		Max:   milliseconds(h.Max()),
	}
}

func milliseconds(us int64) float64 { return float64(us) / 1000 }
