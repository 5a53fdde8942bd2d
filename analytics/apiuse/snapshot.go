package apiuse

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"
)

// snapshotVersion is that of the snapshot's form; another one is refused.
const snapshotVersion = 1

// keepKnown is how long a triple that is not seen any more is kept.
const keepKnown = 180 * 24 * time.Hour

// snapshot is what a Detector has learned, as JSON.
type snapshot struct {
	Version int                  `json:"version"`
	Since   map[string]time.Time `json:"since"`
	Triples []tripleState        `json:"triples"`
}

type tripleState struct {
	Name   string     `json:"name"`
	Domain string     `json:"domain,omitempty"`
	Agent  string     `json:"agent,omitempty"`
	Addr   netip.Addr `json:"addr"`
	First  time.Time  `json:"first"`
	Last   time.Time  `json:"last"`
}

// Changed says that there is something to save since the last Save.
func (d *Detector) Changed() bool { return d.changed }

// Save takes what d has learned, for Load after a restart. Triples that were
// not seen for half a year are left out. Encoding it takes longer, and may be
// done in another goroutine.
func (d *Detector) Save(now time.Time) (encode func() ([]byte, error)) {
	d.changed = false
	s := snapshot{Version: snapshotVersion, Since: map[string]time.Time{}}
	for device, since := range d.since.All() {
		s.Since[device] = since
	}
	for t, p := range d.known.All() {
		if now.Sub(p.last) < keepKnown {
			s.Triples = append(s.Triples, tripleState{t.account.name, t.account.domain, t.agent, t.addr, p.first, p.last})
		}
	}
	return func() ([]byte, error) {
		data, err := json.Marshal(&s)
		if err != nil {
			return nil, fmt.Errorf("write who uses the API: %w", err)
		}
		return data, nil
	}
}

// Load takes up what Save gave, before the first observation. A snapshot that
// cannot be read changes nothing.
func (d *Detector) Load(data []byte) error {
	var s snapshot
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read who uses the API: %w", err)
	}
	if s.Version != snapshotVersion {
		return fmt.Errorf("read who uses the API: version is %d, want %d", s.Version, snapshotVersion)
	}
	for device, since := range s.Since {
		d.since.Put(device, since)
	}
	for _, t := range s.Triples {
		a := account{bound(t.Name), bound(t.Domain)}
		d.known.Put(triple{a, bound(t.Agent), t.Addr}, &period{t.First, t.Last})
	}
	return nil
}
