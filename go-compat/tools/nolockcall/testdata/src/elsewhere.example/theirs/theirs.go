// Package theirs is not ours to judge.
package theirs

import "sync"

func Receive(mu *sync.Mutex, done chan struct{}) {
	mu.Lock()
	defer mu.Unlock()
	<-done
}
