// Package program is the kit that the mains of the Go services are made of: the
// table of settings, the life of the process, the admin listener, logs, traces
// and addresses. It knows nothing of the game.
//
// A main says what it is and how it runs; the kit does the rest:
//
//	program.Program{
//		Name:     "stataggregator",
//		Short:    "Counts what happens in the hunts",
//		Admin:    "127.0.0.1:9103",
//		Settings: []program.Setting{program.String(&store, "store", "stats.db", "where the statistics are kept")},
//		Run:      func(ctx context.Context, p *program.Process) error { … },
//	}.Main()
//
// What must stay true: a program ends within its drain time and half a second
// after a signal, whatever its Run does; every setting comes from one table and
// has one source; nothing is written to standard output but what was asked for.
package program
