// Command nolockcall runs the check of that name. It is a tool for go vet, which
// carries what it learns from package to package and keeps results:
//
//	go vet -vettool=$(command -v nolockcall) ./...
//
// It runs alone too, more slowly; nolockcall -exceptions ./... lists what is excused.
package main

import (
	"golang.org/x/tools/go/analysis/singlechecker"

	"treasurehunt.example/go-compat/tools/nolockcall"
)

func main() { singlechecker.Main(nolockcall.Analyzer) }
