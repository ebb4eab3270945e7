package matchmaker

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// How hunts that may be over are looked at.
const (
	observeEvery   = time.Second
	observeMax     = 256 // hunts a time
	observeAtOnce  = 8
	standingsShown = 100 // as many as EndHunt gives
)

// observe asks for hunts whose time is over whether they have ended, ends those
// that were abandoned, and forgets what is done for long enough.
func (m *Matchmaker) observe(ctx context.Context) {
	// Engines that do not answer must not keep the others from being asked.
	ctx, cancel := context.WithTimeout(ctx, m.config.EngineTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(observeAtOnce)
	for _, hunt := range m.dueHunts(time.Now()) {
		group.Go(func() error {
			m.settle(ctx, hunt)
			return nil
		})
	}
	_ = group.Wait() // none of them gives an error
}

func (m *Matchmaker) dueHunts(now time.Time) []Hunt {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range m.hunts.giveUp(now) {
		m.log.Warn("a hunt is lost: nobody could be asked about it since its time was over", "hunt", id)
	}
	m.hunts.forget(now)
	return m.hunts.due(now, observeMax)
}

// settle asks or tells one hunt's engine that the hunt is over. What fails is
// tried again the next time.
func (m *Matchmaker) settle(ctx context.Context, hunt Hunt) {
	if hunt.State == Abandoned {
		_, err := m.host.end(ctx, hunt.ID)
		if err == nil || status.Code(err) == codes.NotFound {
			m.finish(hunt.ID, Ended, time.Now())
		}
		return
	}
	_, _ = m.ask(ctx, hunt.ID, 0)
}

// ask asks a hunt's engine how the hunt is, and keeps what it learns.
func (m *Matchmaker) ask(ctx context.Context, id string, top uint32) (*pb.GetHuntResponse, error) {
	answer, err := m.host.look(ctx, id, top)
	if status.Code(err) == codes.NotFound && m.finish(id, Lost, time.Now()) {
		m.log.WarnContext(ctx, "a hunt is lost: its engine does not know it any more", "hunt", id)
	}
	if err != nil {
		return nil, err
	}
	if answer.GetEnded() {
		m.finish(id, Ended, time.UnixMilli(answer.GetEndsAtMs()))
	}
	return answer, nil
}

// finish says that a hunt is over, and whether that is news.
func (m *Matchmaker) finish(id string, state HuntState, at time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	hunt, refusal := m.hunts.get(id)
	return refusal == nil && m.hunts.finish(hunt, state, at, time.Now())
}

// Hunts is at most limit of the hunts behind the id after, oldest first, and
// whether there are more.
func (m *Matchmaker) Hunts(after string, limit int) (page []Hunt, more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hunts.page(after, limit)
}

func (m *Matchmaker) hunt(id string) (Hunt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	hunt, refusal := m.hunts.get(id)
	if refusal != nil {
		return Hunt{}, refusal
	}
	return *hunt, nil
}

// Hunt is a hunt as the matchmaker and as its engine know it. It asks the engine,
// whose error it gives as it is.
func (m *Matchmaker) Hunt(ctx context.Context, id string) (Hunt, *pb.GetHuntResponse, error) {
	if _, err := m.hunt(id); err != nil {
		return Hunt{}, nil, err
	}
	answer, err := m.ask(ctx, id, standingsShown)
	if err != nil {
		return Hunt{}, nil, err
	}
	hunt, err := m.hunt(id) // with what the answer said
	return hunt, answer, err
}

// EndHunt ends a hunt now. Ending one that is over gives the same standings.
func (m *Matchmaker) EndHunt(ctx context.Context, id string) (*pb.EndHuntResponse, error) {
	if _, err := m.hunt(id); err != nil {
		return nil, err
	}
	answer, err := m.host.end(ctx, id)
	if err != nil {
		return nil, err
	}
	m.finish(id, Ended, time.Now())
	return answer, nil
}
