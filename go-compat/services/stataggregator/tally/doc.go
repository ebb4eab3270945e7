// Package tally turns the records of hunts into statistics: which records were
// counted, what each player did, and whether a hunt adds up.
//
// It is pure: no clock, no database, no network. What it works on it asks of a
// [Book], whose transaction belongs to somebody else.
//
// What must stay true:
//   - A (hunt, sequence) is counted once, however often and in whatever order its
//     record arrives.
//   - Every number is a sum over records, so that the order of arrival does not
//     show in it.
//   - A record that cannot be right never stops the others: it is told as an
//     [Alarm], and what can be counted of it is.
package tally
