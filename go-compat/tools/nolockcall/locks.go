package nolockcall

import (
	"fmt"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// lock is a mutex as a function names it: s.mu, shards[i].mu.
type lock struct {
	root ssa.Value // the variable, parameter or result that the path starts from
	path string    // the fields and indices from there
}

func (l lock) String() string {
	name := ""
	switch root := l.root.(type) {
	case *ssa.Parameter, *ssa.FreeVar, *ssa.Global:
		name = root.Name()
	case *ssa.Alloc:
		name = root.Comment // the local variable
	}
	if name = strings.TrimPrefix(name+l.path, "."); name == "" {
		return "a mutex"
	}
	return name
}

// lockAt is the lock at an address. Pointers on the way count as what they point to.
func lockAt(address ssa.Value) lock {
	switch v := address.(type) {
	case *ssa.FieldAddr:
		return lockAt(v.X).field(v)
	case *ssa.IndexAddr:
		return lockAt(v.X).index(v.Index)
	case *ssa.Lookup:
		return lockAt(v.X).index(v.Index)
	case *ssa.UnOp:
		if v.Op == token.MUL { // what a pointer points to
			return lockAt(v.X)
		}
	}
	return lock{root: address}
}

func (l lock) field(f *ssa.FieldAddr) lock {
	holder := f.X.Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Struct)
	l.path += "." + holder.Field(f.Field).Name()
	return l
}

func (l lock) index(by ssa.Value) lock {
	l.path += fmt.Sprintf("[%s]", by.Name())
	return l
}

type operation int

const (
	none operation = iota
	acquire
	try
	release
)

var operations = map[string]operation{
	"(*sync.Mutex).Lock":       acquire,
	"(*sync.Mutex).TryLock":    try,
	"(*sync.Mutex).Unlock":     release,
	"(*sync.RWMutex).Lock":     acquire,
	"(*sync.RWMutex).RLock":    acquire,
	"(*sync.RWMutex).TryLock":  try,
	"(*sync.RWMutex).TryRLock": try,
	"(*sync.RWMutex).Unlock":   release,
	"(*sync.RWMutex).RUnlock":  release,
	"(sync.Locker).Lock":       acquire,
	"(sync.Locker).Unlock":     release,
}

// operationOf is what a call does to which lock.
func operationOf(call *ssa.CallCommon) (operation, lock) {
	if call.IsInvoke() {
		if op := operations[call.Method.FullName()]; op != none {
			return op, lockAt(call.Value)
		}
		return none, lock{}
	}
	callee := call.StaticCallee()
	if callee == nil {
		return none, lock{}
	}
	object, ok := callee.Object().(*types.Func)
	if !ok || len(call.Args) == 0 {
		return none, lock{}
	}
	if op := operations[object.FullName()]; op != none {
		return op, lockAt(call.Args[0])
	}
	return none, lock{}
}
