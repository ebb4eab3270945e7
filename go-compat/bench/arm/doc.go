// Package arm starts the servers that a bench compares, each as a process of its own
// on this machine, and gives them all one face. Every arm is started, played on and
// stopped with nothing else running beside it, and begins with an empty directory.
package arm
