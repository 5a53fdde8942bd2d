package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// The files in the data folder that keep over a restart what vSphere reported,
// and who uses its API. They are no NATS buckets: consumers can have those
// written to.
const (
	evidenceName = "evidence.json"
	apiuseName   = "apiuse.json"
)

// saveEvery is how often such a file is written at most.
const saveEvery = 10 * time.Second

// load takes up a file of the data folder. One that cannot be read is said,
// and left out.
func (a *App) load(name string, take func(data []byte) error) {
	file := filepath.Join(a.config.DataDir, name)
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	if err == nil {
		err = take(data)
	}
	if err != nil {
		a.log.Warn("what was known before the start is not known any more", "file", file, "error", err)
	}
}

// loadEvidence shows each shard what was known when the service last ran.
func loadEvidence(shards []*shard, data []byte) error {
	for _, s := range shards {
		if err := s.analysis.evidence.Load(data); err != nil {
			return err
		}
	}
	return nil
}

// saver is what has something to keep over a restart. What Save gives may be
// called from another goroutine.
type saver interface {
	Changed() bool
	Save(now time.Time) (encode func() ([]byte, error))
}

// keep gives what is called now and then from the saver's goroutine, and at
// its end: it writes down what that knows, when there is news and the last
// time is long enough ago. The goroutine does not wait for that, but at its
// end.
func (a *App) keep(name string, s saver) func(wall time.Time, end bool) {
	file := filepath.Join(a.config.DataDir, name)
	var last time.Time
	var writer sync.WaitGroup
	var busy atomic.Bool
	return func(wall time.Time, end bool) {
		if end {
			writer.Wait()
		}
		if !s.Changed() || !end && (busy.Load() || wall.Sub(last) < saveEvery) {
			return
		}
		last = wall
		encode := s.Save(a.clock.at(wall))
		busy.Store(true)
		writer.Go(func() { a.save(file, encode); busy.Store(false) })
		if end {
			writer.Wait()
		}
	}
}

func (a *App) save(file string, encode func() ([]byte, error)) {
	data, err := encode()
	if err == nil {
		err = replaceFile(file, data)
	}
	if err != nil {
		a.log.Warn("what is known now is not kept for the next start", "file", file, "error", err)
	}
}

// replaceFile writes a file whole or not at all.
func replaceFile(name string, data []byte) error {
	next := name + ".new"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", next, err)
	}
	if err := os.Rename(next, name); err != nil {
		return fmt.Errorf("replace %s: %w", name, err)
	}
	return nil
}
