// Package canary is how operators look at a router and decide for it: an API on the
// admin port of the matchmaker, and the client that canaryctl is.
//
// It owns the words of both sides. It decides nothing: the router does, and refuses
// what would cost a hunt that is still there.
package canary
