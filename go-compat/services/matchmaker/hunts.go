package matchmaker

import (
	"slices"
	"strings"
	"time"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// HuntState is what the matchmaker knows of a hunt that it made.
type HuntState string

const (
	// Running has its players, and has not ended.
	Running HuntState = "running"
	// Ended is over: by its time, or by a call.
	Ended HuntState = "ended"
	// Lost is not known to any engine any more, or nobody could be asked for too long.
	Lost HuntState = "lost"
	// Abandoned could not be made in time. Nobody was told of it; it is ended as
	// soon as its engine answers.
	Abandoned HuntState = "abandoned"
)

// Hunt is one hunt that the matchmaker made.
type Hunt struct {
	ID       string
	State    HuntState
	Region   string // of the ticket that it was gathered around
	Skill    int    // likewise
	Players  int    // that it began with
	Settings *pb.HuntSettings
	StartsAt time.Time
	EndsAt   time.Time // by its time; when it did end, once Ended

	done  time.Time // when the matchmaker learned that it is Ended or Lost
	asked time.Time // when its engine was last asked whether it is over
}

func (h *Hunt) open() bool { return h.State == Running || h.State == Abandoned }

// due says that its engine is to be asked, or told, that it is over.
func (h *Hunt) due(now time.Time) bool {
	return h.State == Abandoned || h.State == Running && !now.Before(h.EndsAt)
}

// hunts is the list of them. It calls nobody. Not safe for concurrent use: the
// Matchmaker's lock guards it.
type hunts struct {
	max  int
	keep time.Duration

	list []*Hunt // by id, which is by when they were made
	open int
}

func newHunts(most int, keep time.Duration) *hunts { return &hunts{max: most, keep: keep} }

func (l *hunts) find(id string) (int, bool) {
	return slices.BinarySearchFunc(l.list, id, func(h *Hunt, id string) int { return strings.Compare(h.ID, id) })
}

func (l *hunts) add(h *Hunt) {
	i, _ := l.find(h.ID)
	l.list = slices.Insert(l.list, i, h)
	l.open++
}

func (l *hunts) get(id string) (*Hunt, *Refusal) {
	if i, ok := l.find(id); ok {
		return l.list[i], nil
	}
	return nil, refuse(NotFound, "the matchmaker made no hunt %q, or it was done longer ago than it is kept (finished-keep, %s)", id, l.keep)
}

// page is at most limit hunts behind one, and whether there are more.
func (l *hunts) page(after string, limit int) (page []Hunt, more bool) {
	first, found := l.find(after)
	if found {
		first++
	}
	rest := l.list[first:]
	for _, h := range rest[:min(limit, len(rest))] {
		page = append(page, *h)
	}
	return page, len(rest) > limit
}

// finish says that a hunt is over, and whether that is news.
func (l *hunts) finish(h *Hunt, state HuntState, at, now time.Time) bool {
	if !h.open() {
		return false
	}
	h.State, h.EndsAt, h.done = state, at, now
	l.open--
	return true
}

// due is at most limit hunts whose engines are to be asked or told that they are
// over, those first that were asked longest ago.
func (l *hunts) due(now time.Time, limit int) []Hunt {
	var due []*Hunt
	for _, h := range l.list {
		if h.due(now) {
			due = append(due, h)
		}
	}
	slices.SortStableFunc(due, func(a, b *Hunt) int { return a.asked.Compare(b.asked) })
	asked := make([]Hunt, min(limit, len(due)))
	for i := range asked {
		due[i].asked = now
		asked[i] = *due[i]
	}
	return asked
}

// giveUp finishes hunts that nobody could be asked about for as long as
// finished ones are kept, and gives their ids.
func (l *hunts) giveUp(now time.Time) (lost []string) {
	for _, h := range l.list {
		if h.due(now) && now.Sub(h.EndsAt) > l.keep {
			l.finish(h, Lost, h.EndsAt, now)
			lost = append(lost, h.ID)
		}
	}
	return lost
}

// forget drops hunts that have been done for long enough, and the oldest of
// those that are more than the limit.
func (l *hunts) forget(now time.Time) {
	surplus := len(l.list) - l.open - l.max
	l.list = slices.DeleteFunc(l.list, func(h *Hunt) bool {
		if h.open() {
			return false
		}
		surplus--
		return surplus >= 0 || now.Sub(h.done) > l.keep
	})
}

// count is how many hunts are in each state.
func (l *hunts) count() map[HuntState]int {
	counts := map[HuntState]int{}
	for _, h := range l.list {
		counts[h.State]++
	}
	return counts
}
