package forward_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

// waiter counts how a claim ended.
type waiter struct{ settled, lost atomic.Int64 }

func (w *waiter) claim() *forward.Claim {
	return forward.NewClaim(func(settled bool) {
		if settled {
			w.settled.Add(1)
		} else {
			w.lost.Add(1)
		}
	})
}

// TestClaim: a claim is held by every pack and finding on its account, however
// they are packed, until all are stored; others do not hold it.
func TestClaim(t *testing.T) {
	for _, compression := range []string{forward.CompressNone, forward.CompressSnappy} {
		r := newRig(t, forward.Options{Compression: compression})
		var first, second waiter
		a, b := first.claim(), second.claim()
		add := func(c *forward.Claim, n int, class event.Class) {
			r.Claim(c)
			ev := flow(n)
			ev.Class = class
			r.Stamp(ev)
			if err := r.Add(ev); err != nil {
				t.Fatal(err)
			}
			r.Claim(nil)
		}
		for n := range 3000 { // more than a pack
			add(a, 2*n, event.NetworkActivity)
			add(b, 2*n+1, event.NetworkActivity)
		}
		add(a, 9000, event.DNSActivity)
		add(nil, 9001, event.HTTPActivity)
		r.Claim(b)
		if err := r.Packer.Finding(finding("0123456789abcdef0123456789abcdef", "1", event.FindingCreate, event.SeverityHigh)); err != nil {
			t.Fatal(err)
		}
		r.Claim(nil)
		a.Release()
		b.Release()
		if n := first.settled.Load() + second.settled.Load(); n != 0 {
			t.Fatalf("%d claims are done while packs are open", n)
		}
		r.flush()
		if first.settled.Load() != 1 || second.settled.Load() != 1 || first.lost.Load()+second.lost.Load() != 0 {
			t.Errorf("%s: %d and %d times settled", compression, first.settled.Load(), second.settled.Load())
		}
	}
}

// TestClaimLost: what is not stored when the publisher closes is lost, what
// comes after that too.
func TestClaimLost(t *testing.T) {
	r := newRig(t, forward.Options{})
	var early, late, empty waiter
	empty.claim().Release()
	if empty.settled.Load() != 1 {
		t.Error("nothing is not settled")
	}
	c := early.claim()
	r.Claim(c)
	if err := r.Add(flow(1)); err != nil {
		t.Fatal(err)
	}
	c.Release()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_ = r.pub.Close(ctx)
	r.Packer.Flush()
	c = late.claim()
	r.Claim(c)
	_ = r.Add(flow(2))
	r.Packer.Flush()
	c.Release()
	if early.lost.Load() != 1 || late.lost.Load() != 1 || early.settled.Load()+late.settled.Load() != 0 {
		t.Errorf("lost %d and %d times", early.lost.Load(), late.lost.Load())
	}
}
