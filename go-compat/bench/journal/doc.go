// Package journal is the bench of the journal: what it costs to answer only for what
// is kept, beside the same server that does not, beside a sync a command, and beside
// Redis; whether answers go on while the journal's files are changed; and what a
// command takes on disk.
package journal
