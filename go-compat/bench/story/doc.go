// Package story is the bench of what the story of the rewrite claims (docs/story.md):
// both engines with more and more players, and a whole shard with no sidecar, with one
// for some hunts and with one for all, each beside the Go collector's pauses.
package story
