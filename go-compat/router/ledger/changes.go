package ledger

import (
	"context"

	"google.golang.org/protobuf/proto"

	pb "treasurehunt.example/go-compat/gen/playerstatev1"
)

// The changes of an entry, one function each. Each returns the entry as it is
// kept then. An error of theirs is a [*StateError], a [*FullError], [ErrClosed], the
// end of ctx, after which the change may yet be kept, or the write that failed.

// Create puts a hunt that is not there yet: absent → Creating. The first writer
// wins; created is false for every other, who gets the winner's entry.
func (l *Ledger) Create(ctx context.Context, huntID string, owner Owner, settings *pb.HuntSettings) (e *Entry, created bool, err error) {
	settings = proto.CloneOf(settings) // the caller's until it returns; the entry stays
	settings.ProtoReflect().SetUnknown(nil)
	var made *Entry
	e, err = l.update(ctx, huntID, func(_ *transaction, old *Entry) (*Entry, error) {
		if old != nil {
			return old, nil
		}
		made = &Entry{HuntID: huntID, State: Creating, Owner: owner, Epoch: FirstEpoch, Since: FirstEpoch, Settings: settings, ChangedAtMs: l.nowMs()}
		return made, nil
	})
	return e, err == nil && e == made, err
}

// Reassign gives a hunt that was surely never created to another engine:
// Creating → Creating.
func (l *Ledger) Reassign(ctx context.Context, huntID string, owner Owner) (*Entry, error) {
	return l.update(ctx, huntID, l.from(Creating, "reassign", huntID, func(e *Entry) { e.Owner = owner }))
}

// Abandon forgets a hunt that was surely never created: Creating → absent.
func (l *Ledger) Abandon(ctx context.Context, huntID string) error {
	_, err := l.update(ctx, huntID, func(_ *transaction, old *Entry) (*Entry, error) {
		if old == nil || old.State != Creating {
			return nil, &StateError{HuntID: huntID, Change: "abandon", Entry: old}
		}
		return nil, nil
	})
	return err
}

// Own keeps that the owner has created the hunt: Creating → Owned.
func (l *Ledger) Own(ctx context.Context, huntID string, startsAtMs int64) (*Entry, error) {
	return l.update(ctx, huntID, l.from(Creating, "own", huntID, func(e *Entry) {
		e.State, e.StartsAtMs = Owned, startsAtMs
	}))
}

// Finish keeps that the hunt has ended: Owned → Closed. On one that is Closed it
// does nothing.
func (l *Ledger) Finish(ctx context.Context, huntID string) (*Entry, error) {
	finish := l.from(Owned, "close", huntID, func(e *Entry) { e.State = Closed })
	return l.update(ctx, huntID, func(t *transaction, old *Entry) (*Entry, error) {
		if old != nil && old.State == Closed {
			return old, nil
		}
		return finish(t, old)
	})
}

// Claim keeps that the owner of a hunt is to go on with it at a new epoch, as after its
// restart: Owned → Owned, and Closed → Closed for a hunt that is still read. seen is
// the entry as the caller knows it; where it is another by now, nothing is changed.
func (l *Ledger) Claim(ctx context.Context, seen *Entry) (*Entry, error) {
	return l.update(ctx, seen.HuntID, func(t *transaction, old *Entry) (*Entry, error) {
		if old == nil || !old.SameOwnership(seen) || old.State != Owned && old.State != Closed {
			return nil, &StateError{HuntID: seen.HuntID, Change: "claim", Entry: old}
		}
		next := *old
		next.Epoch = t.epoch()
		if next.State == Owned { // of one that is over, this is since when it is
			next.ChangedAtMs = l.nowMs()
		}
		return &next, nil
	})
}

// Lose keeps that no engine has the hunt any more: Owned → Lost. why is for people.
func (l *Ledger) Lose(ctx context.Context, huntID, why string) (*Entry, error) {
	return l.update(ctx, huntID, l.from(Owned, "lose", huntID, func(e *Entry) { e.State, e.Why = Lost, why }))
}

// Prune forgets a hunt that is over and has not changed since beforeMs.
func (l *Ledger) Prune(ctx context.Context, huntID string, beforeMs int64) error {
	_, err := l.update(ctx, huntID, func(_ *transaction, old *Entry) (*Entry, error) {
		if old == nil || !old.State.over() || old.ChangedAtMs >= beforeMs {
			return old, nil
		}
		return nil, nil
	})
	return err
}

// from is a step that starts in one state only.
func (l *Ledger) from(state State, change, huntID string, edit func(*Entry)) step {
	return func(_ *transaction, old *Entry) (*Entry, error) {
		if old == nil || old.State != state {
			return nil, &StateError{HuntID: huntID, Change: change, Entry: old}
		}
		next := *old
		edit(&next)
		next.ChangedAtMs = l.nowMs()
		return &next, nil
	}
}

func (l *Ledger) nowMs() int64 { return l.now().UnixMilli() }
