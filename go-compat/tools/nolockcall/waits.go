package nolockcall

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

// waits is the fact that a function may wait for another goroutine or process.
type waits struct {
	Why string // the way to where it waits, for people
}

func (*waits) AFact() {}

func (w *waits) String() string { return "waits: " + w.Why }

// waiters of the libraries, beside the bridge.
var waiters = map[string]bool{
	"(*sync.WaitGroup).Wait":                   true,
	"(*golang.org/x/sync/errgroup.Group).Wait": true,
}

// starters take a function and do not call it before they return.
var starters = map[string]bool{"Go": true, "TryGo": true, "AfterFunc": true, "Cleanup": true}

// knowledge is which functions wait: those of this package, as it is learned, and
// those of packages looked at before, as facts.
type knowledge struct {
	pass     *analysis.Pass
	bridge   bridge
	literals map[*ssa.Function]string // why a function literal waits
}

func newKnowledge(pass *analysis.Pass) *knowledge {
	return &knowledge{pass: pass, bridge: newBridge(pass.Pkg), literals: make(map[*ssa.Function]string)}
}

// learn looks through functions until nothing new is found.
func (k *knowledge) learn(functions []*ssa.Function) {
	for learned := true; learned; {
		learned = false
		for _, fn := range functions {
			if k.learned(fn) != "" {
				continue
			}
			if why := k.firstWait(fn); why != "" {
				k.keep(fn, why)
				learned = true
			}
		}
	}
}

func (k *knowledge) firstWait(fn *ssa.Function) string {
	for _, block := range fn.Blocks {
		for _, instr := range block.Instrs {
			if why := k.whyWaits(instr); why != "" {
				return why
			}
		}
	}
	return ""
}

func (k *knowledge) keep(fn *ssa.Function, why string) {
	if object, ok := fn.Object().(*types.Func); ok {
		k.pass.ExportObjectFact(object, &waits{Why: why})
		return
	}
	k.literals[fn] = why
}

// learned is why fn waits, as far as its body is known to.
func (k *knowledge) learned(fn *ssa.Function) string {
	object, ok := fn.Object().(*types.Func)
	if !ok {
		return k.literals[fn]
	}
	var fact waits
	k.pass.ImportObjectFact(object.Origin(), &fact)
	return fact.Why
}

// whyWaits is why an instruction may wait; empty: it does not. A deferred call is
// one that waits, later.
func (k *knowledge) whyWaits(instr ssa.Instruction) string {
	switch instr := instr.(type) {
	case *ssa.Send:
		return "a channel send"
	case *ssa.UnOp:
		if instr.Op == token.ARROW {
			return "a channel receive"
		}
	case *ssa.Select:
		if instr.Blocking {
			return "a select without default"
		}
	case *ssa.Call:
		return k.whyCallWaits(&instr.Call)
	case *ssa.Defer:
		return k.whyCallWaits(&instr.Call)
	}
	return ""
}

func (k *knowledge) whyCallWaits(call *ssa.CallCommon) string {
	if call.IsInvoke() {
		if k.bridge.has(call.Method) {
			return "a call of " + nameOf(call.Method)
		}
		return k.whyArgumentWaits(call.Method.Name(), call.Args)
	}
	callee := call.StaticCallee()
	if callee == nil {
		if isStub(call.Signature()) {
			return "a call of a gRPC client"
		}
		return k.whyArgumentWaits("", call.Args)
	}
	if why := k.whyFunctionWaits(callee); why != "" {
		return why
	}
	return k.whyArgumentWaits(callee.Name(), call.Args)
}

// whyArgumentWaits is why a function among the arguments waits, which the callee
// is taken to call.
func (k *knowledge) whyArgumentWaits(callee string, args []ssa.Value) string {
	if starters[callee] {
		return ""
	}
	for _, arg := range args {
		if change, ok := arg.(*ssa.ChangeType); ok {
			arg = change.X
		}
		if closure, ok := arg.(*ssa.MakeClosure); ok {
			arg = closure.Fn
		}
		if fn, ok := arg.(*ssa.Function); ok {
			if why := k.whyFunctionWaits(fn); why != "" {
				return why
			}
		}
	}
	return ""
}

// whyFunctionWaits is why a call of fn waits.
func (k *knowledge) whyFunctionWaits(fn *ssa.Function) string {
	name := "a function literal"
	if object, ok := fn.Object().(*types.Func); ok {
		name = nameOf(object)
		if k.bridge.has(object) || waiters[object.FullName()] {
			return "a call of " + name
		}
	}
	if why := k.learned(fn); why != "" {
		return name + " → " + why
	}
	return ""
}

// nameOf is a function's name for people: package names without their paths.
func nameOf(fn *types.Func) string {
	if recv := fn.Signature().Recv(); recv != nil {
		return types.TypeString(recv.Type(), (*types.Package).Name) + "." + fn.Name()
	}
	return fn.Pkg().Name() + "." + fn.Name()
}
