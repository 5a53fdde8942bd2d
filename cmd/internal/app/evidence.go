package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics/evidence"
)

// evidenceName is the file in the data folder that keeps what vSphere reported
// over a restart. It is no NATS bucket: consumers can have those written to.
const evidenceName = "evidence.json"

// saveEvery is how often that file is written at most.
const saveEvery = 10 * time.Second

// loadEvidence shows each shard what was known when the service last ran. A
// file that cannot be read is said, and left out.
func (a *App) loadEvidence(shards []*shard) {
	file := filepath.Join(a.config.DataDir, evidenceName)
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	for _, s := range shards {
		if err == nil {
			err = s.analysis.evidence.Load(data)
		}
	}
	if err != nil {
		a.log.Warn("what vSphere reported before is not known any more", "file", file, "error", err)
	}
}

// keepEvidence gives what the first shard calls at each beat, and at its end:
// it writes down what that shard knows, which is what all do, when there is
// news and the last time is long enough ago. The shard does not wait for that,
// but at its end.
func (a *App) keepEvidence(e *evidence.Evidence) (keep func(wall time.Time, end bool)) {
	var last time.Time
	var writer sync.WaitGroup
	var busy atomic.Bool
	return func(wall time.Time, end bool) {
		if end {
			writer.Wait()
		}
		if !e.Changed() || !end && (busy.Load() || wall.Sub(last) < saveEvery) {
			return
		}
		last = wall
		encode := e.Save(a.clock.at(wall))
		busy.Store(true)
		writer.Go(func() { a.saveEvidence(encode); busy.Store(false) })
		if end {
			writer.Wait()
		}
	}
}

func (a *App) saveEvidence(encode func() ([]byte, error)) {
	data, err := encode()
	if err == nil {
		err = replaceFile(filepath.Join(a.config.DataDir, evidenceName), data)
	}
	if err != nil {
		a.log.Warn("what vSphere reports is not kept for the next start", "error", err)
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
