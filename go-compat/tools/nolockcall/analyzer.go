package nolockcall

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/buildssa"
	"golang.org/x/tools/go/ssa"
)

// project is how the import paths of our own packages begin. No others are looked at.
const project = "treasurehunt.example/"

// Analyzer reports a mutex that is held over a call of the bridge.
var Analyzer = &analysis.Analyzer{
	Name:      "nolockcall",
	Doc:       "report a mutex that is held over a call of the bridge, or over a wait for another goroutine",
	Run:       run,
	Requires:  []*analysis.Analyzer{buildssa.Analyzer},
	FactTypes: []analysis.Fact{new(waits)},
}

var listExceptions bool

func init() {
	Analyzer.Flags.BoolVar(&listExceptions, "exceptions", false, "also list the exceptions in force, each with its reason")
}

func run(pass *analysis.Pass) (any, error) {
	if !strings.HasPrefix(pass.Pkg.Path(), project) {
		return nil, nil
	}
	functions := functionsOf(pass.ResultOf[buildssa.Analyzer].(*buildssa.SSA))
	know := newKnowledge(pass)
	know.learn(functions)
	excuses := findExceptions(pass)

	for _, fn := range functions {
		walk(fn, func(instr ssa.Instruction, now held) {
			why := know.whyWaits(instr)
			if why == "" {
				return
			}
			for _, l := range now.over(instr) {
				if !excuses.cover(instr.Pos()) {
					pass.Reportf(instr.Pos(), "%s is held (since line %d) over %s: unlock it first, or say above the line why not: %s reason",
						l, pass.Fset.Position(now[l].since).Line, why, marker)
				}
			}
		})
	}
	excuses.report()
	return nil, nil
}

// functionsOf are all functions and function literals that the package's source
// has, those in the values of package variables included.
func functionsOf(built *buildssa.SSA) []*ssa.Function {
	functions := slices.Clone(built.SrcFuncs)
	var add func(literals []*ssa.Function)
	add = func(literals []*ssa.Function) {
		for _, literal := range literals {
			functions = append(functions, literal)
			add(literal.AnonFuncs)
		}
	}
	add(built.Pkg.Func("init").AnonFuncs)
	slices.SortStableFunc(functions, func(a, b *ssa.Function) int { return cmp.Compare(a.Pos(), b.Pos()) })
	return functions
}
