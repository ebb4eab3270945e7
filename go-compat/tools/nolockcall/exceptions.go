package nolockcall

import (
	"go/token"
	"strings"

	"golang.org/x/tools/go/analysis"
)

const marker = "//nolockcall:ok"

// exceptions are the lines that are excused, by the comment that ends above them.
type exceptions struct {
	pass   *analysis.Pass
	byLine map[line]*exception
	all    []*exception // in the order of the source
}

type line struct {
	file   string
	number int
}

type exception struct {
	pos    token.Pos
	reason string
	used   bool
}

func findExceptions(pass *analysis.Pass) *exceptions {
	found := &exceptions{pass: pass, byLine: make(map[line]*exception)}
	for _, file := range pass.Files {
		for _, group := range file.Comments {
			for _, comment := range group.List {
				reason, ok := strings.CutPrefix(comment.Text, marker)
				if !ok {
					continue
				}
				e := &exception{pos: comment.Pos(), reason: strings.TrimSpace(reason)}
				end := pass.Fset.Position(group.End())
				found.byLine[line{end.Filename, end.Line + 1}] = e
				found.all = append(found.all, e)
			}
		}
	}
	return found
}

// cover says whether a finding is excused.
func (x *exceptions) cover(pos token.Pos) bool {
	at := x.pass.Fset.Position(pos)
	e, ok := x.byLine[line{at.Filename, at.Line}]
	if !ok || e.reason == "" {
		return false
	}
	e.used = true
	return true
}

// report tells of exceptions that are none, and, when asked, of those that are.
func (x *exceptions) report() {
	for _, e := range x.all {
		switch {
		case e.reason == "":
			x.pass.Reportf(e.pos, "an exception needs a reason: %s reason", marker)
		case !e.used:
			x.pass.Reportf(e.pos, "this exception excuses nothing on the line below it: take it away")
		case listExceptions:
			x.pass.Reportf(e.pos, "exception: %s", e.reason)
		}
	}
}
