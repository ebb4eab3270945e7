package nolockcall

import (
	"go/types"
)

const (
	seamPath = project + "go-compat/playerstate"
	grpcPath = "google.golang.org/grpc"
)

// seamInterfaces are what the two engines and the router implement.
var seamInterfaces = []string{"Commander", "Feeder", "Engine"}

// bridge knows the functions by which a goroutine leaves for the other side.
type bridge struct {
	seam []*types.Interface // empty: nothing here can name the seam
}

func newBridge(pkg *types.Package) bridge {
	seam := find(pkg, seamPath, make(map[*types.Package]bool))
	if seam == nil {
		return bridge{}
	}
	var b bridge
	for _, name := range seamInterfaces {
		if object := seam.Scope().Lookup(name); object != nil {
			b.seam = append(b.seam, object.Type().Underlying().(*types.Interface))
		}
	}
	return b
}

// find looks for a package among pkg and all that it imports.
func find(pkg *types.Package, path string, seen map[*types.Package]bool) *types.Package {
	if pkg.Path() == path {
		return pkg
	}
	seen[pkg] = true
	for _, imported := range pkg.Imports() {
		if seen[imported] {
			continue
		}
		if found := find(imported, path, seen); found != nil {
			return found
		}
	}
	return nil
}

// has says whether calling fn leaves for the other side.
func (b bridge) has(fn *types.Func) bool {
	return isStub(fn.Signature()) || b.isSeam(fn)
}

// isStub says whether a function is of the shape that the methods of gRPC clients
// have: func(context.Context, …, ...grpc.CallOption) ….
func isStub(sig *types.Signature) bool {
	if !sig.Variadic() || sig.Params().Len() < 2 {
		return false
	}
	first := sig.Params().At(0).Type()
	// Of append it may also be a string.
	last, ok := sig.Params().At(sig.Params().Len() - 1).Type().(*types.Slice)
	return ok && isNamed(first, "context", "Context") && isNamed(last.Elem(), grpcPath, "CallOption")
}

func isNamed(t types.Type, path, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Name() == name && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == path
}

// isSeam says whether fn is a method of the seam. The schema's messages in its
// signature are enough to know one, but for Close, which many types have.
func (b bridge) isSeam(fn *types.Func) bool {
	recv := fn.Signature().Recv()
	if recv == nil {
		return false
	}
	for _, seam := range b.seam {
		object, _, _ := types.LookupFieldOrMethod(seam, false, fn.Pkg(), fn.Name())
		if object == nil || !types.Identical(object.Type(), fn.Type()) {
			continue
		}
		if fn.Name() != "Close" || types.Implements(recv.Type(), seam) {
			return true
		}
	}
	return false
}
