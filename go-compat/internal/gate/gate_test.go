package gate

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
)

func TestAShutGateIsEmptyOnlyWhenTheLastHasLeft(t *testing.T) {
	for range 1000 {
		g := New()
		var inside atomic.Int64
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 4 {
			all.Go(func() {
				<-start
				for g.Enter() {
					inside.Add(1)
					inside.Add(-1)
					g.Leave()
				}
			})
		}
		close(start)
		<-g.Shut()
		if n := inside.Load(); n != 0 {
			t.Fatalf("%d are inside of an empty gate", n)
		}
		if g.Enter() {
			t.Fatal("a shut gate lets in")
		}
		all.Wait()
	}
}

func TestAGateThatIsShutTwiceSaysSoOnce(t *testing.T) {
	g := New()
	if !g.Enter() {
		t.Fatal("an open gate lets nobody in")
	}
	empty := g.Shut()
	select {
	case <-empty:
		t.Fatal("it is empty with one inside")
	default:
	}
	g.Leave()
	g.Shut()
	<-empty
	select {
	case <-empty:
		t.Error("it tells twice")
	default:
	}
}

func TestAGateThatIsEmptyIsWaitedForInNoTime(t *testing.T) {
	over, end := context.WithCancel(t.Context())
	end()
	for range 100 {
		if err := New().ShutAndWait(over); err != nil {
			t.Fatal(err)
		}
	}
	g := New()
	g.Enter()
	if err := g.ShutAndWait(over); err == nil {
		t.Error("it was not waited for who is inside")
	}
}
