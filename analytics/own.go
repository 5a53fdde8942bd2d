package analytics

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/vegress/vegress/event"
)

// hash names a tuple of strings: 128 bits of SHA-256, in hex. The parts are
// separated by a byte that UTF-8 does not have.
func hash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write([]byte(p))
		_, _ = h.Write([]byte{0xff})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// evidence is ev as a finding keeps it. A record above maxRaw is named by its
// uid only: part of a record is no evidence.
func evidence(ev *event.Event) event.Evidence {
	e := event.Evidence{
		UID:     strings.Clone(ev.UID),
		Time:    ev.Time,
		LogName: strings.Clone(ev.LogName),
		Src:     ev.Src.Clone(),
		Dst:     ev.Dst.Clone(),
		URL:     strings.Clone(ev.URL),
	}
	if len(ev.Raw) <= maxRaw {
		e.Raw = strings.Clone(ev.Raw)
	}
	return e
}

// cloneFinding copies f so that the ledger can go on changing its own.
func cloneFinding(f *event.Finding) *event.Finding {
	c := *f
	c.Analytic.Attacks = slices.Clone(f.Analytic.Attacks)
	c.Explanation = slices.Clone(f.Explanation)
	c.Justification.Evidence = slices.Clone(f.Justification.Evidence)
	c.Evidence = slices.Clone(f.Evidence)
	c.Related = slices.Clone(f.Related)
	return &c
}

func cloneDevice(d event.Device) event.Device {
	d.Hostname = strings.Clone(d.Hostname)
	return d
}
