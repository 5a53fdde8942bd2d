package evidence

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/vegress/vegress/analytics"
)

// snapshotVersion is that of the snapshot's form; another one is refused.
const snapshotVersion = 1

// keepPast is how long a span that is over is kept in a snapshot, for records
// that come late.
const keepPast = 24 * time.Hour

// snapshot is what an Evidence knows, as JSON.
type snapshot struct {
	Version     int                  `json:"version"`
	Updates     map[string]spanState `json:"updates,omitempty"`
	Backups     map[string]spanState `json:"backups,omitempty"`
	VMs         map[string]spanState `json:"vms,omitempty"`
	Maintenance map[string]spanState `json:"maintenance,omitempty"`
	Firewall    map[string]spanState `json:"firewall,omitempty"`
}

type spanState struct {
	Name    string               `json:"name"`
	From    time.Time            `json:"from"`
	To      time.Time            `json:"to"`
	Records []string             `json:"records,omitempty"`
	Past    []spanState          `json:"past,omitempty"`
	Jobs    map[string]time.Time `json:"jobs,omitempty"` // of a backup run; until when each is believed
}

// Changed says that there is something to save since the last Save.
func (e *Evidence) Changed() bool { return e.signs.Load() != e.saved }

// Save gives what e knows, for Load after a restart. What ended a day before
// now is left out. encode writes it, which takes half a second where it is much:
// it may be called from another goroutine, while e goes on.
func (e *Evidence) Save(now time.Time) (encode func() ([]byte, error)) {
	e.saved = e.signs.Load()
	old := now.Add(-keepPast)
	s := snapshot{
		Version: snapshotVersion,
		Updates: spansOf(e.updates, old), VMs: spansOf(e.vms, old),
		Maintenance: spansOf(e.maintenance, old), Firewall: spansOf(e.firewall, old),
		Backups: map[string]spanState{},
	}
	for vcenter, run := range e.backups.All() {
		if state := run.state(); !run.to.Before(old) {
			state.Jobs = maps.Clone(run.open)
			s.Backups[vcenter] = state
		}
	}
	return func() ([]byte, error) {
		data, err := json.Marshal(&s)
		if err != nil {
			return nil, fmt.Errorf("write what vSphere reported: %w", err)
		}
		return data, nil
	}
}

func spansOf(spans *analytics.Recent[string, *span], old time.Time) map[string]spanState {
	all := map[string]spanState{}
	for key, s := range spans.All() {
		if !s.to.Before(old) {
			all[key] = s.state()
		}
	}
	return all
}

// state is s as it is now: its records never change.
func (s *span) state() spanState {
	state := spanState{Name: s.name, From: s.from, To: s.to, Records: s.records}
	for i := range s.past {
		state.Past = append(state.Past, s.past[i].state())
	}
	return state
}

// Load takes up what Save gave, before the first record. A snapshot that
// cannot be read changes nothing.
func (e *Evidence) Load(data []byte) error {
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read what vSphere reported: %w", err)
	}
	if s.Version != snapshotVersion {
		return fmt.Errorf("read what vSphere reported: version is %d, want %d", s.Version, snapshotVersion)
	}
	restore(e.updates, s.Updates)
	restore(e.vms, s.VMs)
	restore(e.maintenance, s.Maintenance)
	restore(e.firewall, s.Firewall)
	for vcenter, state := range s.Backups {
		run := &backupRun{span: *state.span(), open: map[string]time.Time{}}
		maps.Copy(run.open, state.Jobs)
		e.backups.Put(vcenter, run)
	}
	return nil
}

func restore(spans *analytics.Recent[string, *span], states map[string]spanState) {
	for key, state := range states {
		spans.Put(key, state.span())
	}
}

// span is the span of a state. Its past is bounded as that of any other.
func (s *spanState) span() *span {
	out := &span{name: s.Name, from: s.From, to: s.To, records: s.Records}
	for _, p := range s.Past[:min(len(s.Past), maxPast)] {
		out.past = append(out.past, span{name: p.Name, from: p.From, to: p.To, records: p.Records})
	}
	return out
}
