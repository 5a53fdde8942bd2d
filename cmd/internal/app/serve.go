package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// directoryEvery is how far the bucket of VMs may be behind.
const directoryEvery = 15 * time.Second

// publishInventory keeps the bucket of VMs in line with the inventory, once
// that is known, until ctx ends.
func (a *App) publishInventory(ctx context.Context) {
	select {
	case <-ctx.Done():
		return
	case <-a.inventory.Ready():
	case <-a.partial:
	}
	tick := time.NewTicker(directoryEvery)
	defer tick.Stop()
	for {
		if _, err := a.directory.Update(ctx, a.inventory.VMs()); err != nil && ctx.Err() == nil {
			a.log.Warn("the inventory's bucket is behind", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// serve is the way of the lines, from when the inventory can answer to the
// last line's acknowledgement.
func (a *App) serve(ctx context.Context) error {
	if err := a.awaitInventory(ctx); err != nil {
		return err
	}
	a.logRules(a.collector.shards[0].analysis.rules.Policy())
	var shards sync.WaitGroup
	for _, s := range a.collector.shards {
		shards.Go(s.run)
	}
	var floor sync.WaitGroup
	floor.Go(a.floor.run)
	stopWatch := a.watchHosts()
	drained := a.boundDrain(ctx)
	if ctx.Err() == nil {
		a.health.ready.Store(true)
		a.log.Info("ready", "syslog", a.listeners(), "ipfix", a.flowListeners(), "nats", a.broker.ClientURL(), "http", a.adminAddr())
	}
	acknowledged := a.acknowledge()
	err := a.receive(ctx)
	a.health.ready.Store(false)
	a.log.Info("stopping", "in_flight", a.account().InFlight)
	a.closeQueues()
	shards.Wait()
	stopWatch()
	close(a.floor.in)
	floor.Wait()
	a.saveHabits(a.hosts.Save())
	err = errors.Join(err, a.publisher.Flush(context.Background())) // ends: see boundDrain
	err = errors.Join(err, drained())
	acknowledged()
	return err
}

// receive runs the listeners, and reads the stream of telemetry, until ctx ends
// and everything is read.
func (a *App) receive(ctx context.Context) error {
	var others sync.WaitGroup
	var err error
	if a.exports != nil {
		others.Go(func() { err = a.exports.Run(ctx) })
	}
	others.Go(func() {
		a.reader.Run(ctx, a.telemetry)
		a.telemetry.close()
	})
	other := a.server.Run(ctx)
	others.Wait()
	return errors.Join(other, err)
}

// lastAcks is how long the last acknowledgements may take.
const lastAcks = 2 * time.Second

// acknowledge lets the stream of telemetry know what is stored, until end.
func (a *App) acknowledge() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var sender sync.WaitGroup
	sender.Go(func() { a.reader.Acknowledge(ctx) })
	return func() {
		cancel()
		sender.Wait()
		_ = a.intake.FlushTimeout(lastAcks) // what is not acknowledged comes again
	}
}

// boundDrain keeps the drain that begins when ctx ends within its time: a
// store that does not acknowledge holds up the shards, and they the sockets,
// until the publisher closes. The caller says when everything is drained, and
// is told what was lost.
func (a *App) boundDrain(ctx context.Context) (drained func() error) {
	done, lost := make(chan struct{}), make(chan error, 1)
	go func() {
		<-ctx.Done()
		limit, cancel := context.WithTimeout(context.Background(), a.stopWithin)
		defer cancel()
		select {
		case <-done:
			lost <- nil
			return
		case <-limit.Done():
		}
		if err := a.publisher.Close(limit); err != nil {
			lost <- fmt.Errorf("drain within %s: %w", a.stopWithin, err)
			return
		}
		lost <- nil
	}()
	return func() error {
		close(done)
		err := <-lost
		// What no shard had come to publish is lost as well, without a message
		// that waits.
		if n := a.account().Dropped["closed"]; err == nil && n > 0 {
			err = fmt.Errorf("drain within %s: %d records were not acknowledged", a.stopWithin, n)
		}
		return err
	}
}

// closeQueues lets the shards end, after the last session. No reload comes
// behind it.
func (a *App) closeQueues() {
	a.collector.gate.Lock()
	defer a.collector.gate.Unlock()
	a.stopped = true
	for _, s := range a.collector.shards {
		close(s.in)
	}
}
