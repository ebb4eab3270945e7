// Package nolockcall is the check of one invariant: in Go no mutex is held over
// a call of the bridge, nor over anything else that waits for another goroutine
// or process. The outage that this project began with was such a call.
//
// # What it reports
//
// A [sync.Mutex] or [sync.RWMutex], locked for writing or reading, also when it
// is embedded or called through [sync.Locker], that may be held over
//
//   - a call of a method of playerstate.Commander, Feeder or Engine: of the
//     interfaces, of a type that implements them, or of any method with the same
//     name and signature;
//   - a call of a gRPC client: whatever takes a context first and
//     ...grpc.CallOption last, as Invoke, NewStream and every generated stub do;
//   - a channel send or receive, and a select without default;
//   - Wait of a [sync.WaitGroup] or an errgroup.Group;
//   - a function of this project that does one of these, however deep, in this
//     package or in another.
//
// A function that is handed to a call counts as called by it, as in
// once.Do(func() { … }), but for those that start it elsewhere or later: Go,
// TryGo, AfterFunc and Cleanup. A go statement waits for nothing.
//
// # How it looks
//
// It follows the control flow of each function, in SSA form, and asks at each
// place which locks may be held there: a lock that is held on one way to it is
// held. What a condition says about another is not understood, so a lock taken
// and released under the same condition, twice tested, is thought to be held in
// between. A lock is known by how the function names it: s.mu and s.mu are one,
// t.mu is another, and f().mu is a new one each time.
//
// # What it cannot see
//
//   - Which function a variable, a field or a parameter holds, unless it is a
//     literal or a method named on the spot; and what stands behind an interface
//     other than those above.
//   - A lock that is taken or released by another function for its caller: what
//     that function does itself under the lock is seen, the caller is not.
//   - Calls below the project's own packages: a database, a file, an HTTP client.
//   - The methods of an open gRPC stream. The bridge has none.
//   - Other locks: a second mutex, sync.Once, a semaphore, a file lock.
//   - Waiting without a channel: time.Sleep, sync.Cond.
//
// # Exceptions
//
//	//nolockcall:ok the channel has room for everybody who can send
//	w.done <- struct{}{}
//
// directly above the line, and only with a reason. It excuses this line alone:
// a caller that comes here under a lock of its own needs its own reason. One
// that excuses nothing is reported. With -exceptions those in force are listed,
// as findings.
package nolockcall
