package sidecar

// queue holds the commands of a lane that are not sent yet, oldest first. A
// caller that leaves takes its command out of the middle, so that what is
// abandoned holds neither room nor memory. Not safe for concurrent use: the
// lane's mutex guards it.
type queue struct {
	first, last *call
	commands    int
}

func (q *queue) push(c *call) {
	c.queued = true
	c.previous, c.next = q.last, nil
	if q.last == nil {
		q.first = c
	} else {
		q.last.next = c
	}
	q.last = c
	q.commands++
}

// remove takes c out, wherever it stands. It must be in this queue.
func (q *queue) remove(c *call) {
	if c.previous == nil {
		q.first = c.next
	} else {
		c.previous.next = c.next
	}
	if c.next == nil {
		q.last = c.previous
	} else {
		c.next.previous = c.previous
	}
	c.previous, c.next, c.queued = nil, nil, false
	q.commands--
}
