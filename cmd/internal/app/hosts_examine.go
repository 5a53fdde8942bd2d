package app

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/loghost"
)

// problem is a kind of trouble.
type problem string

// Kinds of trouble, worst first.
const (
	problemVCenter      problem = "vcenter_unread"
	problemDisconnected problem = "disconnected"
	problemUnread       problem = "unread"
	problemUnset        problem = "unset"
	problemElsewhere    problem = "elsewhere"
	problemUnresolved   problem = "unresolved"
	problemRuleSet      problem = "rule_set_closed"
	problemPort         problem = "port_blocked"
	problemSilent       problem = "silent"
	problemMisdirected  problem = "misdirected"
	problemNever        problem = "never_seen"
	problemLosing       problem = "losing"
	problemTruncated    problem = "truncated"
	problemClock        problem = "clock"
	problemEvents       problem = "events_off"
)

// advice says for each kind, worst first, what to do.
var advice = [...]struct {
	kind problem
	do   string
}{
	{problemVCenter, "the vCenter could not be read: see its error; account, password and certificate are in docs/vcenter.md"},
	{problemDisconnected, "vCenter does not reach the host: reconnect it, or take it out of the inventory"},
	{problemUnread, "the account may not read the host's options: give it Read-only on the root, propagating"},
	{problemUnset, "no log host is set: vegress hosts point COLLECTOR --host NAME (a vCenter: --vcenters), then the same with --apply"},
	{problemElsewhere, "it sends elsewhere only: vegress hosts point COLLECTOR --host NAME (a vCenter: --vcenters) adds this collector and keeps the others"},
	{problemUnresolved, "its target's name cannot be resolved here: name the collector with --target, or mend DNS"},
	{problemRuleSet, "the host's firewall is closed for syslog: vegress hosts point opens it; or esxcli network firewall ruleset set -r syslog -e true"},
	{problemPort, "the stock rule set lets out only udp 514, tcp 514 and tcp 1514: take one of those, or check the host's rules"},
	{problemSilent, "it sent, and stopped: on the host, esxcli system syslog reload; then docs/troubleshooting.md"},
	{problemMisdirected, "its log hosts were changed: who did that, and why? vegress hosts point puts this collector back"},
	{problemNever, "it points here, and nothing came: name resolution of the host, a firewall between, esxcli system syslog reload"},
	{problemLosing, "it loses lines before it can send them: use tcp:// or ssl://, look at the network and at the collector's load"},
	{problemTruncated, "it cuts long lines: set Syslog.global.remoteHost.maxMsgLen to 16384"},
	{problemClock, "its clock is off: check the time source (NTP, PTP) of the host"},
	{problemEvents, "vCenter's events are not part of its log: set vpxd.event.syslog.enabled to true"},
}

type problemCount struct {
	Kind    problem `json:"kind"`
	Count   int     `json:"count"`
	Machine string  `json:"example"`
	Advice  string  `json:"advice"`
}

// count adds up the problems, worst kind first.
func (r *hostsStatus) count() {
	for _, a := range advice {
		one := problemCount{Kind: a.kind, Advice: a.do}
		take := func(machine string, p *pathStatus) {
			if slices.Contains(p.Problems, a.kind) {
				one.Count++
				if one.Machine == "" {
					one.Machine = machine
				}
			}
		}
		for i := range r.VCenters {
			take(r.VCenters[i].Name, &r.VCenters[i].pathStatus)
		}
		for i := range r.Hosts {
			take(r.Hosts[i].Name, &r.Hosts[i].pathStatus)
		}
		if one.Count > 0 {
			r.Problems = append(r.Problems, one)
		}
	}
}

// examiner holds what vCenter says against what arrives.
type examiner struct {
	book    *loghost.Book
	names   *loghost.Names
	live    paths
	maxSkew time.Duration
}

func (x *examiner) host(ctx context.Context, h *loghost.Host) hostStatus {
	s := hostStatus{Host: *h}
	s.Live = x.live.of(h.Name)
	s.Ours, s.Own = x.book.Among(ctx, x.names, h.Targets), x.own(ctx, h.Targets)
	if !h.Read {
		s.Ours = loghost.Unknown
	}
	if !h.Connected() && !h.Maintenance {
		s.add(problemDisconnected)
	}
	x.targets(&s)
	x.arrivals(&s.pathStatus)
	s.settle()
	return s
}

// targets finds what is wrong with where a host sends.
func (x *examiner) targets(s *hostStatus) {
	switch {
	case !s.Read:
		if s.Connected() {
			s.add(problemUnread)
		}
		return
	case len(s.Targets) == 0:
		s.add(problemUnset)
		return
	case s.Ours == loghost.No:
		s.add(problemElsewhere)
	case s.Ours == loghost.Unknown:
		s.add(problemUnresolved)
	}
	if s.RuleSet == loghost.Off {
		s.add(problemRuleSet)
	}
	if s.Own != nil && !s.Own.PassesStock() && (s.Live == nil || s.Live.LastSeen.IsZero()) {
		s.add(problemPort)
	}
}

// own is the target that is vegress.
func (x *examiner) own(ctx context.Context, targets []loghost.Target) *loghost.Target {
	for i := range targets {
		if x.book.Ours(ctx, x.names, targets[i]) == loghost.Yes {
			return &targets[i]
		}
	}
	return nil
}

// arrivals finds what is wrong with what arrives.
func (x *examiner) arrivals(s *pathStatus) {
	if s.Live == nil {
		return
	}
	switch s.Live.State {
	case event.PathSilent:
		s.add(problemSilent)
	case event.PathMisdirected:
		s.add(problemMisdirected)
	case event.PathLosing:
		s.add(problemLosing)
	case event.PathNever:
		if s.Ours == loghost.Yes {
			s.add(problemNever)
		}
	}
	if s.Live.Truncated > 0 {
		s.add(problemTruncated)
	}
	if math.Abs(s.Live.Skew) > x.maxSkew.Seconds() {
		s.add(problemClock)
	}
}

func (x *examiner) vcenter(ctx context.Context, v *loghost.VCenter) vcenterStatus {
	s := vcenterStatus{VCenter: *v}
	s.Ours = loghost.Unknown
	if v.Error != "" {
		s.add(problemVCenter)
		s.settle()
		return s
	}
	s.Live = x.live.of(v.Host(), v.Address)
	if v.ForwardingRead {
		s.Ours, s.Own = x.book.Among(ctx, x.names, v.Forwarding), x.own(ctx, v.Forwarding)
		switch {
		case len(v.Forwarding) == 0:
			s.add(problemUnset)
		case s.Ours == loghost.No:
			s.add(problemElsewhere)
		case s.Ours == loghost.Unknown:
			s.add(problemUnresolved)
		}
	}
	if v.Events == loghost.Off {
		s.add(problemEvents)
	}
	x.arrivals(&s.pathStatus)
	s.settle()
	return s
}

func (s *pathStatus) add(p problem) { s.Problems = append(s.Problems, p) }

// settle says in one word how it is: the worst trouble, else what arrives.
func (s *pathStatus) settle() {
	worst := len(advice)
	for i, a := range advice {
		if slices.Contains(s.Problems, a.kind) {
			worst = min(worst, i)
		}
	}
	switch {
	case worst < len(advice):
		s.State = string(advice[worst].kind)
	case s.Live != nil:
		s.State = string(s.Live.State)
	case s.Ours == loghost.Yes:
		s.State = "configured"
	default:
		s.State = string(loghost.Unknown)
	}
}
