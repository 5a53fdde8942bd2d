package analytics

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

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
		LogName: strings.Clone(cut(ev.LogName, maxName)),
		Src:     ownEndpoint(&ev.Src),
		Dst:     ownEndpoint(&ev.Dst),
		URL:     strings.Clone(cut(ev.URL, maxURL)),
	}
	if len(ev.Raw) <= maxRaw && len(cut(ev.Raw, maxRawJSON)) == len(ev.Raw) {
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
	d.Hostname = strings.Clone(cut(d.Hostname, maxName))
	return d
}

// ownEndpoint is a copy of e with bounded strings.
func ownEndpoint(e *event.Endpoint) event.Endpoint {
	c := *e
	for _, s := range []*string{
		&c.Hostname, &c.MAC, &c.VIF, &c.Switch, &c.SwitchPort, &c.World, &c.VMName, &c.VMUUID,
		&c.Service, &c.Category, &c.NameVia,
	} {
		*s = cut(*s, maxName)
	}
	return c.Clone()
}

// cut gives the longest beginning of s that takes at most limit bytes as JSON:
// an escaped character takes up to six.
func cut(s string, limit int) string {
	if len(s) <= limit/6 {
		return s
	}
	size := 0
	for i, r := range s {
		if size += jsonSize(r); size > limit {
			return s[:i]
		}
	}
	return s
}

func jsonSize(r rune) int {
	switch {
	case r == '"' || r == '\\':
		return 2
	case r < 0x20 || r == 0x7f || r == utf8.RuneError:
		return 6
	}
	return utf8.RuneLen(r)
}

// AddCount is sum with n added, at most the greatest int64: counts come from
// records, which may say anything. A negative n counts nothing.
func AddCount(sum, n int64) int64 {
	return sum + min(max(n, 0), math.MaxInt64-sum)
}

// RiskOf is the OCSF risk score of a severity.
func RiskOf(s event.Severity) int {
	switch s {
	case event.SeverityInformational:
		return 5
	case event.SeverityLow:
		return 25
	case event.SeverityMedium:
		return 50
	case event.SeverityHigh:
		return 75
	case event.SeverityCritical:
		return 95
	}
	return 0
}
