// Package playerstatetest is a player-state engine for the tests of services: the
// real rules in this process, on a clock that the test turns by hand, with faults
// that the test orders.
//
// A [Fake] is a [playerstate.Engine], so a service that takes the seam takes the
// fake as it is. To have the wire and the batching client in between as well, dial it:
//
//	fake := playerstatetest.New(t)
//	client, err := sidecar.Dial(sidecar.Config{Target: fake.Target(), Dialer: fake.Dial})
//
// The rules are those of package legacy, so hunts are created, joined and played as
// on a shard, and outcomes are what a shard would answer.
//
// # Time
//
// Hunts begin at [Epoch], and nothing ends before the test calls [Fake.Advance].
// The deadlines of contexts are real time all the same.
//
// # Restarts
//
// [Fake.Restart] comes back without its hunts, [Fake.Recover] with them, waiting for
// a router to claim them.
//
// # Faults
//
// [Fake.Refuse] answers commands with a refusal, [Fake.Fail] fails calls before
// anything of them is done, [Fake.LoseAnswers] after, [Fake.Hold] and
// [Fake.HoldAnswers] make them wait for the test instead of for a sleep, and
// [Fake.Cut] cuts the connections. Each is narrowed down to hunts, players, methods,
// or the next few calls. Where several fit, those that were ordered first come
// first. [Fake.Heal] ends them all.
package playerstatetest
