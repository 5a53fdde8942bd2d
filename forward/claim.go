package forward

import "sync/atomic"

// Claim waits for what was published on somebody's account, as the events of a
// message that may be given back only when all of them are stored. Everything
// that is still under way holds it. It is safe for concurrent use.
type Claim struct {
	holders atomic.Int64
	lost    atomic.Bool
	done    func(settled bool)
}

// NewClaim makes a claim that its maker holds. When nobody holds it any more,
// done is called, once, in the goroutine that let go last: it must not block,
// and not publish. settled says that all was stored, or refused for good by
// the server, which would refuse it again; else the publisher was closed
// before.
func NewClaim(done func(settled bool)) *Claim {
	c := &Claim{done: done}
	c.holders.Store(1)
	return c
}

// Hold is for who holds the claim already, and hands it on.
func (c *Claim) Hold() { c.holders.Add(1) }

// Release lets go.
func (c *Claim) Release() {
	if c.holders.Add(-1) == 0 {
		c.done(!c.lost.Load())
	}
}

// Claim makes everything that is handed to the packer from now on, up to the
// next call, hold c until it is stored; nil: nobody waits for it.
func (p *Packer) Claim(c *Claim) { p.claim = c }

// claimed makes m hold c.
func (m *message) claimed(c *Claim) {
	if n := len(m.claims); c == nil || n > 0 && m.claims[n-1] == c {
		return
	}
	c.Hold()
	m.claims = append(m.claims, c)
}

// release lets go of what m held; lost: m was not stored, and may be some day.
func (m *message) release(lost bool) {
	for i, c := range m.claims {
		if lost {
			c.lost.Store(true)
		}
		c.Release()
		m.claims[i] = nil
	}
	m.claims = m.claims[:0]
}
