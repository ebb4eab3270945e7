// Package listed has an exception to be listed.
package listed

import "sync"

func excused(mu *sync.Mutex, work chan int) { // want excused:"waits"
	mu.Lock()
	defer mu.Unlock()
	/* want `exception: the channel has room` */ //nolockcall:ok the channel has room
	work <- 1
}
