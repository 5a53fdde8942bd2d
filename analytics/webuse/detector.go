package webuse

import (
	"cmp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// Uids of the analytics.
const (
	Windows = "endpoint.windows"
	Linux   = "endpoint.linux"
	MacOS   = "endpoint.macos"
)

// maxCached bounds the hosts whose place in the catalogue is remembered.
const maxCached = 8192

// Detector looks at the connections and DNS queries of one shard of which the
// process is known. It implements analytics.Detector, Ticker, Restorer and
// Flusher; only Stats is safe for concurrent use.
type Detector struct {
	policy *Policy
	habit  func() Habit // of the event under examination
	ledger *analytics.Ledger
	hosts  *analytics.Recent[string, service]
	words  words
	seen   atomic.Int64
}

// service is a web service, as far as it is known.
type service struct{ name, category string }

// Stats counts what a Detector saw.
type Stats struct {
	Weighed  int64 // connections and queries of a process to a web service
	Findings []analytics.AnalyticStats
}

var (
	_ analytics.Detector = (*Detector)(nil)
	_ analytics.Ticker   = (*Detector)(nil)
	_ analytics.Restorer = (*Detector)(nil)
	_ analytics.Flusher  = (*Detector)(nil)
)

// New makes a Detector. habit says what is unusual of the event that Detect is
// given, by what came before it.
func New(p *Policy, habit func() Habit) *Detector {
	d := &Detector{habit: habit, ledger: analytics.NewLedger(analytics.LedgerOptions{}, windowsAnalytic, linuxAnalytic, macosAnalytic)}
	d.SetPolicy(p)
	return d
}

// SetPolicy puts p in force for the next event. Open findings stay.
func (d *Detector) SetPolicy(p *Policy) {
	d.policy = p
	d.hosts = analytics.NewRecent[string, service](maxCached)
}

// Stats may be called from any goroutine.
func (d *Detector) Stats() Stats {
	return Stats{Weighed: d.seen.Load(), Findings: d.ledger.Stats()}
}

// Detect weighs ev when a sensor in a machine reports it and names the process.
func (d *Detector) Detect(ev *event.Event, report func(*event.Finding)) {
	if ev.Device.Host != nil || ev.Process.Path == "" && ev.Process.Name == "" {
		return
	}
	to, ok := d.target(ev)
	if !ok || ev.Justification.Verdict == event.VerdictJustified {
		return
	}
	d.seen.Add(1)
	w := words{policy: d.policy, to: to, name: running(&ev.Process)}
	w.notes, w.points = d.weigh(ev, &to, w.name)
	if w.points < enough {
		return
	}
	d.words = w
	key := analytics.Key{Analytic: platform(ev), Entity: ev.Entity(), What: cmp.Or(to.service, to.host) + " by " + w.name}
	d.ledger.Add(d.ledger.Case(key, report), analytics.Sighting{
		Event: ev, Severity: severityOf(w.points), Notes: w.notes, By: &d.words,
	}, report)
}

// target is the web service that ev talks to, or asks the address of.
type target struct {
	host, service, category string
	asked                   bool // a DNS query, no connection
	meant                   bool // the name is the command line's: the record has none
}

// target finds it; not ok: it is none.
func (d *Detector) target(ev *event.Event) (t target, ok bool) {
	switch ev.Class {
	case event.NetworkActivity, event.HTTPActivity:
		if ev.Direction == event.DirectionInbound {
			return t, false
		}
		t = target{host: ev.Dst.Hostname, service: ev.Dst.Service, category: ev.Dst.Category}
		// The judge took it for HTTP(S) to the internet: not the resolver, nor a
		// database that the command line names beside.
		if t.host == "" && t.service == "" && ev.Justification.Verdict != event.VerdictNone {
			t.host, t.meant = onlyHost(ev.Process.CmdLine)
			s := d.service(t.host)
			t.service, t.category = s.name, s.category
		}
	case event.DNSActivity:
		s := d.service(strings.TrimSuffix(ev.DNS.Query, "."))
		t = target{host: ev.DNS.Query, service: s.name, category: s.category, asked: true}
	default:
		return t, false
	}
	return t, t.service != "" && !everyones(t.category) || t.host != "" && d.policy.ours(strings.ToLower(t.host))
}

// onlyHost is the host of the URLs in a command line, when they are all of one:
// what curl is told to load is what it connects to, though the record of that
// has an address only.
func onlyHost(line string) (host string, ok bool) {
	for rest := line; ; {
		_, after, found := strings.Cut(rest, "://")
		if !found {
			return host, host != ""
		}
		name := after[:hostEnd(after)]
		name = name[strings.LastIndexByte(name, '@')+1:]
		if name, _, _ = strings.Cut(name, ":"); name == "" || host != "" && !strings.EqualFold(name, host) {
			return "", false
		}
		host, rest = name, after
	}
}

// hostEnd is where a URL's host, with account and port, ends.
func hostEnd(url string) int {
	if i := strings.IndexAny(url, "/?#'\"<>|;)\\ \t\n"); i >= 0 {
		return i
	}
	return len(url)
}

// everyones are services behind which anything may be: that a program uses
// one says nothing.
func everyones(category string) bool { return category == "cdn" || category == "cloud" }

// service is the catalogue's of a host.
func (d *Detector) service(host string) service {
	if host == "" {
		return service{}
	}
	if s, ok := d.hosts.Get(host); ok {
		return s
	}
	var s service
	s.name, s.category = d.policy.Service(host)
	d.hosts.Put(strings.Clone(host), s)
	return s
}

// Tick updates and closes findings.
func (d *Detector) Tick(now time.Time, report func(*event.Finding)) { d.ledger.Tick(now, report) }

// Restore takes up findings that were open before a restart.
func (d *Detector) Restore(open []event.Finding) { d.ledger.Restore(open) }

// Flush reports the updates of findings that wait for their time.
func (d *Detector) Flush(report func(*event.Finding)) { d.ledger.Flush(report) }

// fieldPlatform is what a sensor that many systems have says of its own.
var fieldPlatform = event.Intern("platform")

// platform is the analytic for the system that ev comes from: by the sensor's
// word, else by the form of its paths and by which sensors there are.
func platform(ev *event.Event) string {
	path := cmp.Or(ev.Process.Path, ev.Process.Name)
	said, _ := ev.Field(fieldPlatform)
	switch {
	case said.Value == "darwin":
		return MacOS
	case strings.Contains(path, `\`), strings.HasPrefix(ev.LogName, "Microsoft-Windows-"), ev.LogName == "Security":
		return Windows
	case strings.HasPrefix(path, "/Applications/"), strings.HasPrefix(path, "/System/"), strings.HasPrefix(path, "/Users/"),
		strings.HasPrefix(path, "/Library/"), strings.HasPrefix(path, "/private/"), macOSLog(ev.LogName):
		return MacOS
	}
	return Linux
}

// macOSLog knows the sensors that only macOS has.
func macOSLog(name string) bool {
	switch name {
	case "eslogger", "unifiedlog", "jamf":
		return true
	}
	return strings.HasPrefix(name, "com.apple.")
}
