package webuse

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Options are the mutable elements of the three analytics that no habit is
// needed for, under their ATT&CK names.
type Options struct {
	// ProcessName (AN1189) are programs that should use no web service: names
	// without folders, in any case.
	ProcessName []string
	// ParentProcess (AN1190) are programs whose children should not.
	ParentProcess []string
	// HostnamePattern (AN1190) are hosts that count as web services, beside the
	// catalogue's: globs.
	HostnamePattern []string
	// ProcessSignature (AN1191) is which signatures add points: "unsigned",
	// "modified".
	ProcessSignature []string
}

// Signatures that can be asked for.
var signatures = []string{"unsigned", "modified"}

// Validate names the key and the value of all that is wrong with the patterns
// and the signatures.
func (o *Options) Validate() error {
	var errs []error
	for _, glob := range o.HostnamePattern {
		if _, err := path.Match(glob, ""); err != nil || strings.Trim(glob, "*.") == "" {
			errs = append(errs, fmt.Errorf("analytics.an1190.HostnamePattern: %q: is no pattern of a host name (want paste.example.com, or *.paste.example)", glob))
		}
	}
	for _, s := range o.ProcessSignature {
		if !slices.Contains(signatures, s) {
			errs = append(errs, fmt.Errorf("analytics.an1191.ProcessSignature: %s: must be of %s", strconv.Quote(s), strings.Join(signatures, ", ")))
		}
	}
	return errors.Join(errs...)
}

// Site is what the estate's other parts know. No member may be nil.
type Site struct {
	Service func(host string) (name, category string) // of the catalogue; empty: it knows none
	Risky   func(category string) bool                // services of it carry command and control, or loot
}

// Habit is what is unusual of a connection, by what came before it.
type Habit struct {
	Beacon   bool // as regular as a clock (ConnectionInterval)
	Volume   bool // more bytes than DataTransferThreshold
	Frequent bool // more requests than RequestFrequency
	OffHours bool // outside the business hours, for the better part
}

// Policy is Options and Site, compiled. It never changes.
type Policy struct {
	Site
	processes, parents map[string]bool
	hosts              []string // globs, in small letters
	unsigned, modified bool
}

// Compile makes a Policy of valid options.
func Compile(o Options, s Site) *Policy {
	p := &Policy{
		Site: s, processes: folded(o.ProcessName), parents: folded(o.ParentProcess),
		unsigned: slices.Contains(o.ProcessSignature, "unsigned"), modified: slices.Contains(o.ProcessSignature, "modified"),
	}
	for _, glob := range o.HostnamePattern {
		p.hosts = append(p.hosts, strings.ToLower(glob))
	}
	return p
}

func folded(names []string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[program(name)] = true
	}
	return all
}

// ours says that a site's own patterns have the host.
func (p *Policy) ours(host string) bool {
	return slices.ContainsFunc(p.hosts, func(glob string) bool {
		ok, _ := path.Match(glob, host)
		return ok
	})
}
