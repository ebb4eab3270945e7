package matchmaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
	"treasurehunt.example/go-compat/playerstate"
)

// The pauses between two tries of one call.
const (
	retryFirst = 20 * time.Millisecond
	retryMax   = 500 * time.Millisecond
)

// host makes hunts and fills them, through the Commander alone. It holds no lock
// and no state. Safe for concurrent use.
type host struct {
	commander  playerstate.Commander
	requestIDs *playerstate.RequestIDs
	timeout    time.Duration // of one call
}

// placement is one group on its way into a hunt. It belongs to one goroutine.
type placement struct {
	hunt    Hunt
	tickets []*Ticket // their fields belong to the pool
	players []uint64
	// touched says that the hunt may exist: it was created, or nobody knows.
	touched bool
}

// place creates the hunt and joins every player, trying again until ctx is over.
// On an error the hunt may exist (touched) and have some of the players in it.
func (h *host) place(ctx context.Context, p *placement) error {
	if err := h.create(ctx, p); err != nil {
		return fmt.Errorf("create the hunt: %w", err)
	}
	if err := h.join(ctx, p); err != nil {
		return fmt.Errorf("join its players: %w", err)
	}
	return nil
}

func (h *host) create(ctx context.Context, p *placement) error {
	return retry(ctx, func() error {
		ctx, cancel := context.WithTimeout(ctx, h.timeout)
		defer cancel()
		answer, err := h.commander.CreateHunt(ctx, &pb.CreateHuntRequest{HuntId: p.hunt.ID, Settings: p.hunt.Settings})
		if err != nil {
			p.touched = p.touched || playerstate.FateOf(err) != playerstate.FateNotApplied
			return lasting(err)
		}
		p.touched = true
		p.hunt.StartsAt = time.UnixMilli(answer.GetStartsAtMs())
		p.hunt.EndsAt = p.hunt.StartsAt.Add(time.Duration(p.hunt.Settings.GetDurationMs()) * time.Millisecond)
		return nil
	})
}

// lasting marks an error that no repetition helps against.
func lasting(err error) error {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.AlreadyExists, codes.FailedPrecondition, codes.NotFound,
		codes.Unimplemented, codes.PermissionDenied, codes.Unauthenticated, codes.OutOfRange:
		return backoff.Permanent(err)
	default:
		return err
	}
}

// join sends every player's Join until each was taken, always under the same
// request id, so that a second one changes nothing.
func (h *host) join(ctx context.Context, p *placement) error {
	pending := make([]*pb.Command, len(p.players))
	for i, player := range p.players {
		pending[i] = &pb.Command{
			HuntId: p.hunt.ID, PlayerId: player, RequestId: h.requestIDs.Next(),
			Action: &pb.Command_Join{Join: &pb.Join{}},
		}
	}
	return retry(ctx, func() (err error) {
		pending, err = h.joinOnce(ctx, pending)
		return err
	})
}

// joinOnce sends what is pending, in batches one after the other, and gives what
// still is.
func (h *host) joinOnce(ctx context.Context, pending []*pb.Command) (rest []*pb.Command, err error) {
	var reasons []error
	for batch := range slices.Chunk(pending, playerstate.MaxBatch) {
		outcomes, err := h.applyBatch(ctx, batch)
		if err != nil {
			rest, reasons = append(rest, batch...), append(reasons, lasting(err))
			continue
		}
		for i, outcome := range outcomes {
			if err := h.joined(batch[i], outcome); err != nil {
				rest, reasons = append(rest, batch[i]), append(reasons, err)
			}
		}
	}
	return rest, errors.Join(reasons...)
}

func (h *host) applyBatch(ctx context.Context, batch []*pb.Command) ([]*pb.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	outcomes, err := h.commander.ApplyBatch(ctx, batch)
	if err == nil && len(outcomes) != len(batch) {
		err = playerstate.Unknown(codes.Internal, "%d outcomes for %d commands", len(outcomes), len(batch))
	}
	return outcomes, err
}

// joined is nil if the outcome says that the player is in the hunt.
func (h *host) joined(join *pb.Command, outcome *pb.Outcome) error {
	switch outcome.GetVerdict() {
	case pb.Verdict_VERDICT_APPLIED, pb.Verdict_VERDICT_DUPLICATE:
		return nil
	case pb.Verdict_VERDICT_EXPIRED, pb.Verdict_VERDICT_UNKNOWN, pb.Verdict_VERDICT_UNSPECIFIED:
		return fmt.Errorf("player %d: %s", join.GetPlayerId(), outcome.GetVerdict())
	case pb.Verdict_VERDICT_REJECTED:
		return backoff.Permanent(fmt.Errorf("player %d: %s", join.GetPlayerId(), outcome.GetRejection()))
	case pb.Verdict_VERDICT_REFUSED:
		return h.refused(join, outcome.GetRefusal())
	}
	return backoff.Permanent(fmt.Errorf("player %d: verdict %d is not known here", join.GetPlayerId(), outcome.GetVerdict()))
}

func (h *host) refused(join *pb.Command, refusal *pb.Refusal) error {
	err := fmt.Errorf("player %d: %s %s", join.GetPlayerId(), refusal.GetReason(), refusal.GetDetail())
	switch refusal.GetReason() {
	case pb.Refusal_REASON_UNKNOWN_HUNT, pb.Refusal_REASON_INVALID, pb.Refusal_REASON_QUARANTINED:
		return backoff.Permanent(err)
	case pb.Refusal_REASON_REQUEST_TOO_OLD:
		// Joining again is harmless, unlike any other command: who is there stays.
		join.RequestId = h.requestIDs.Next()
		return err
	case pb.Refusal_REASON_UNSPECIFIED, pb.Refusal_REASON_STALE_OWNER, pb.Refusal_REASON_SEALED,
		pb.Refusal_REASON_NOT_ACTIVE, pb.Refusal_REASON_OVERLOADED, pb.Refusal_REASON_DRAINING,
		pb.Refusal_REASON_STALE_EPOCH:
	}
	return err
}

func (h *host) end(ctx context.Context, huntID string) (*pb.EndHuntResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	return h.commander.EndHunt(ctx, &pb.EndHuntRequest{HuntId: huntID})
}

// look asks for a hunt, with the best top of its standings.
func (h *host) look(ctx context.Context, huntID string, top uint32) (*pb.GetHuntResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	return h.commander.GetHunt(ctx, &pb.GetHuntRequest{HuntId: huntID, Top: top})
}

// retry calls try until it gives nil or a permanent error, or until ctx is over;
// then the last error is what it gives.
func retry(ctx context.Context, try func() error) error {
	var last error
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		last = try()
		return struct{}{}, last
	}, backoff.WithBackOff(newPauses(retryFirst, retryMax)), backoff.WithMaxElapsedTime(0))
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w; at last: %w", ctx.Err(), last)
	}
	return err
}

// newPauses are pauses that grow from first to most, with jitter.
func newPauses(first, most time.Duration) *backoff.ExponentialBackOff {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = first, most
	return pauses
}
