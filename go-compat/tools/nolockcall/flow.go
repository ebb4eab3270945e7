package nolockcall

import (
	"cmp"
	"go/token"
	"maps"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// held is the locks that may be held at a place.
type held map[lock]hold

// hold is how a lock is held.
type hold struct {
	since          token.Pos
	unlockDeferred bool
}

// walk visits each instruction that fn can reach, with the locks that may be
// held there.
func walk(fn *ssa.Function, visit func(ssa.Instruction, held)) {
	if len(fn.Blocks) == 0 { // declared, but written elsewhere
		return
	}
	at := flow(fn)
	for _, block := range fn.Blocks {
		now := maps.Clone(at[block])
		for _, instr := range block.Instrs {
			visit(instr, now)
			now.step(instr)
		}
	}
}

// flow is the locks that may be held where each block begins: the least solution,
// which a worklist finds.
func flow(fn *ssa.Function) map[*ssa.BasicBlock]held {
	at := map[*ssa.BasicBlock]held{fn.Blocks[0]: {}}
	work := []*ssa.BasicBlock{fn.Blocks[0]}
	for len(work) > 0 {
		block := work[0]
		work = work[1:]
		end := maps.Clone(at[block])
		for _, instr := range block.Instrs {
			end.step(instr)
		}
		for i, next := range block.Succs {
			_, seen := at[next]
			if !seen {
				at[next] = held{}
			}
			if at[next].join(end.along(block, i)) || !seen {
				work = append(work, next)
			}
		}
	}
	return at
}

// step goes on from before an instruction to behind it.
func (h held) step(instr ssa.Instruction) {
	switch instr := instr.(type) {
	case *ssa.Call:
		switch op, l := operationOf(&instr.Call); op {
		case acquire:
			h.add(l, instr.Pos())
		case release:
			delete(h, l)
		case none, try: // try: see along
		}
	case *ssa.Defer:
		op, l := operationOf(&instr.Call)
		if now, ok := h[l]; ok && op == release {
			now.unlockDeferred = true
			h[l] = now
		}
	}
}

func (h held) add(l lock, since token.Pos) {
	if _, ok := h[l]; !ok {
		h[l] = hold{since: since}
	}
}

// along is what is held on the way to the block's i-th successor: with a lock that
// was tried, only where the answer is true.
func (h held) along(block *ssa.BasicBlock, i int) held {
	branch, ok := block.Instrs[len(block.Instrs)-1].(*ssa.If)
	if !ok || i != 0 {
		return h
	}
	call, ok := branch.Cond.(*ssa.Call)
	if !ok {
		return h
	}
	if op, l := operationOf(&call.Call); op == try {
		h = maps.Clone(h)
		h.add(l, call.Pos())
	}
	return h
}

// join adds what is held on another way to the same place, and says whether that
// was news.
func (h held) join(other held) (news bool) {
	for l, theirs := range other {
		ours, ok := h[l]
		joined := theirs
		if ok {
			joined = hold{since: ours.since, unlockDeferred: ours.unlockDeferred || theirs.unlockDeferred}
		}
		if !ok || joined != ours {
			h[l], news = joined, true
		}
	}
	return news
}

// over is the locks that are held while instr waits, in the order in which they
// were taken. A deferred call is over a lock whose Unlock was deferred before it:
// that one runs later. A lock that it meets otherwise is released in time.
func (h held) over(instr ssa.Instruction) []lock {
	_, deferred := instr.(*ssa.Defer)
	locks := make([]lock, 0, len(h))
	for l, how := range h {
		if !deferred || how.unlockDeferred {
			locks = append(locks, l)
		}
	}
	slices.SortFunc(locks, func(a, b lock) int { return cmp.Compare(h[a].since, h[b].since) })
	return locks
}
