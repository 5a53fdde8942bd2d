package app

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

// parcel carries the events of one batch to the shards. Each shard handles
// the events at its own indexes, in order; the last shard to finish gives the
// parcel back for reuse. An event that several shards see is there twice: the
// shard that handles it writes to it, while the others learn from the copy.
type parcel struct {
	events []event.Event
	used   int
	mine   [][]int32 // by shard: indexes into events; ^i: only learn from event i
	left   atomic.Int32
	claim  *forward.Claim // of its events, held until the shards have them; nil: none waits for them
}

// maxParcel bounds the events in a parcel: a batch, and what its records let
// go of.
const maxParcel = 256

var parcels = sync.Pool{New: func() any { return new(parcel) }}

// newParcel gives an empty parcel for that many shards.
func newParcel(shards int) *parcel {
	p := parcels.Get().(*parcel)
	if len(p.mine) != shards {
		p.mine = make([][]int32, shards)
	}
	return p
}

// next gives an empty event at the parcel's end.
func (p *parcel) next() *event.Event {
	if p.used == len(p.events) {
		p.events = append(p.events, event.Event{})
	}
	ev := &p.events[p.used]
	ev.Reset()
	p.used++
	return ev
}

// claimed makes the parcel hold a claim, before its first event.
func (p *parcel) claimed(c *forward.Claim) {
	if p.claim = c; c != nil {
		c.Hold()
	}
}

// full says that the parcel should be sent before it takes more.
func (p *parcel) full() bool { return p.used >= maxParcel }

// route gives the last event of the parcel to the shard of its entity. What
// teaches something (context, in the sense of the house) goes to all shards.
func (p *parcel) route() {
	i := p.used - 1
	ev := &p.events[i]
	var entity [128]byte
	owner := shardOf(ev.AppendEntity(entity[:0]), len(p.mine))
	p.mine[owner] = append(p.mine[owner], int32(i))
	if len(p.mine) == 1 || !teaches(ev) {
		return
	}
	lesson := int32(p.copy(i))
	for s := range p.mine {
		if s != owner {
			p.mine[s] = append(p.mine[s], ^lesson)
		}
	}
}

// copy puts a copy of an event at the parcel's end, with lists of its own.
func (p *parcel) copy(i int) (at int) {
	c := p.next() // may move the events
	c.Take(&p.events[i])
	return p.used - 1
}

// shardOf is the shard that keeps the state of an entity, by its wire form:
// always the same one for as long as the process runs.
func shardOf(entity []byte, shards int) int {
	if shards == 1 {
		return 0
	}
	return int(maphash.Bytes(shardSeed, entity) % uint64(shards))
}

// shardOfKey is shardOf for an entity's wire form in a string.
func shardOfKey(entity string, shards int) int { return shardOf([]byte(entity), shards) }

var shardSeed = maphash.MakeSeed()

// send queues the parcel at every shard that has a part in it, and gives it
// back at once when none has. It blocks while a queue is full.
func (p *parcel) send(shards []*shard) {
	parts := int32(0)
	for _, mine := range p.mine {
		if len(mine) > 0 {
			parts++
		}
	}
	p.left.Store(parts + 1) // one for this goroutine, so that p.mine stays while it is read
	for s, sh := range shards {
		if len(p.mine[s]) > 0 {
			sh.in <- delivery{parcel: p}
		}
	}
	p.done()
}

// done gives up one part of the parcel.
func (p *parcel) done() {
	if p.left.Add(-1) > 0 {
		return
	}
	p.used = 0
	for s := range p.mine {
		p.mine[s] = p.mine[s][:0]
	}
	if p.claim != nil {
		p.claim.Release()
		p.claim = nil
	}
	parcels.Put(p)
}
