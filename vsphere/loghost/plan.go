package loghost

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Plan is what is to be done to one host, or one vCenter appliance. It holds no
// secrets.
type Plan struct {
	VCenter string `json:"vcenter"`
	Host    string `json:"host"`
	MoRef   string `json:"moref,omitempty"` // empty: the vCenter appliance
	Version string `json:"version,omitempty"`

	Now  string `json:"now"`  // the list as it is
	Then string `json:"then"` // and as it shall be
	// Keeps are the entries that stay as they are; Replaces are older ones of
	// vegress itself.
	Keeps    []string `json:"keeps,omitempty"`
	Replaces []string `json:"replaces,omitempty"`
	// OpenRuleSet: the host's firewall does not let syslog out yet.
	OpenRuleSet bool     `json:"open_rule_set,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
	// Unchanged: all is as it should be. Refused says why nothing is done.
	Unchanged bool   `json:"unchanged,omitempty"`
	Refused   string `json:"refused,omitempty"`

	host    *Host
	current []Target // of an appliance
	wanted  Target
}

// Work says that there is something to do.
func (p *Plan) Work() bool { return !p.Unchanged && p.Refused == "" }

// Wish is the target that hosts shall have.
type Wish struct {
	Target Target
	// Plain: ESXi's own format also where RFC 5424 with octet counting could be
	// had.
	Plain bool
	// Ours says which entries are older ones of vegress, to be replaced.
	Ours *Names
}

// Options of ESXi's that vegress asks for where the host has them: messages
// with line breaks arrive whole.
const (
	formatter5424  = "RFC_5424"
	framingCounted = "octet_counting"
	// formatterSince is the first release with both options.
	formatterSince = 8
	// advisedTargets is how many targets VMware advises at most.
	advisedTargets = 5
)

// Host plans for a host. The entries of others stay where they are, as they are
// written.
func (w *Wish) Host(ctx context.Context, b *Book, h *Host) Plan {
	p := Plan{
		VCenter: h.VCenter, Host: h.Name, MoRef: h.MoRef, Version: h.Version, Now: h.LogHost, Then: h.LogHost, host: h, wanted: w.forHost(h),
	}
	switch {
	case !h.Connected():
		p.Refused = "vCenter says that it is " + h.Connection
	case !h.Read:
		p.Refused = "its log hosts could not be read: " + strings.Join(h.Notes, "; ")
	case overlong(h.Targets):
		p.Refused = tooMany + "; change it by hand"
	default:
		p.fill(ctx, b, w)
	}
	return p
}

func (w *Wish) forHost(h *Host) Target {
	t := w.Target
	if !w.Plain && t.Protocol != "udp" && t.Formatter == "" && t.Framing == "" && h.atLeast(formatterSince) {
		t.Formatter, t.Framing = formatter5424, framingCounted
	}
	t.Raw = t.String()
	return t
}

func (p *Plan) fill(ctx context.Context, b *Book, w *Wish) {
	h := p.host
	list, there := p.merge(ctx, b, w, h.Targets)
	p.OpenRuleSet = h.RuleSet == Off
	if there && !p.OpenRuleSet {
		p.Unchanged = true
	}
	if !there {
		p.Then = strings.Join(list, ",")
	}
	if h.RuleSet == NotKnown {
		p.warn("whether its firewall lets syslog out could not be read")
	}
	if !p.wanted.PassesStock() {
		p.warn("the firewall's stock rule set lets out only udp 514, tcp 514 and tcp 1514, so not %s port %d: from ESXi 8.0 U2b on the host may open it by itself, else take one of those or make a rule", p.wanted.Protocol, p.wanted.Port)
	}
	if len(list) > advisedTargets {
		p.warn("that makes %d targets; VMware advises at most %d", len(list), advisedTargets)
	}
	if h.MaxLength > 0 && h.MaxLength <= 1024 && p.wanted.Protocol != "udp" {
		p.warn("it cuts messages at %d bytes: set Syslog.global.remoteHost.maxMsgLen to 16384", h.MaxLength)
	}
	if p.wanted.Protocol == "ssl" && h.CheckCert == On {
		p.warn("it checks the collector's certificate: its store must hold the CA")
	}
	if h.Maintenance {
		p.warn("it is in maintenance mode")
	}
	for _, t := range h.Targets {
		if t.Fault != "" {
			p.warn("%q stays, though it is no target: %s", t.Raw, t.Fault)
		}
	}
}

func (p *Plan) warn(format string, args ...any) {
	p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
}

// merge makes the new list of entries: the wanted one in the place of the first
// older one of vegress, else at the end. there says that the list has it and
// needs no change.
func (p *Plan) merge(ctx context.Context, b *Book, w *Wish, now []Target) (list []string, there bool) {
	for _, t := range now {
		switch {
		case b.Ours(ctx, w.Ours, t) != Yes:
			list = append(list, t.Raw)
			p.Keeps = append(p.Keeps, t.Raw)
		case !there:
			list = append(list, p.wanted.Raw)
			there = true
			if !t.same(p.wanted) {
				p.Replaces = append(p.Replaces, t.Raw)
			}
		default:
			p.Replaces = append(p.Replaces, t.Raw)
		}
	}
	if !there {
		return append(list, p.wanted.Raw), false
	}
	return list, len(p.Replaces) == 0
}

// VCenter plans for a vCenter's appliance, whose list is short: it is refused
// when full.
func (w *Wish) VCenter(ctx context.Context, b *Book, v *VCenter) Plan {
	p := Plan{VCenter: v.Name, Host: v.Host(), Version: v.Version, current: v.Forwarding, wanted: w.Target}
	p.wanted.Formatter, p.wanted.Framing = "", ""
	p.wanted.Raw = p.wanted.Endpoint()
	p.Now = strings.Join(raws(v.Forwarding), ",")
	p.Then = p.Now
	if !v.ForwardingRead {
		p.Refused = strings.Join(v.Notes, "; ")
		return p
	}
	list, there := p.merge(ctx, b, w, v.Forwarding)
	switch {
	case slices.ContainsFunc(v.Forwarding, func(t Target) bool { return t.Fault != "" }):
		p.Refused = "it has a server that is not understood: change it by hand"
	case there:
		p.Unchanged = true
	case len(list) > MaxServers:
		p.Refused = fmt.Sprintf("it forwards to %d servers already, which is all that it takes (%s): remove one by hand, in the vCenter Server Management interface, Syslog",
			len(v.Forwarding), strings.Join(p.Keeps, ", "))
	default:
		p.Then = strings.Join(list, ",")
	}
	if v.Events == Off {
		p.warn("its events are not part of its log: set vpxd.event.syslog.enabled to true")
	}
	return p
}

// Host is the name by which the vCenter signs its log, as far as it is known.
func (v *VCenter) Host() string {
	if v.FQDN != "" {
		return v.FQDN
	}
	return v.Address
}

// sameList compares lists of targets entry by entry: spaces between entries, and
// "<none>", mean nothing.
func sameList(a, b string) bool {
	return slices.Equal(raws(ParseTargets(a)), raws(ParseTargets(b)))
}

func raws(all []Target) []string {
	var out []string
	for _, t := range all {
		out = append(out, t.Raw)
	}
	return out
}

// servers is the list that the appliance shall have: its own entries as they
// are, and the wanted one.
func (p *Plan) servers() []Target {
	var all []Target
	for raw := range strings.SplitSeq(p.Then, ",") {
		i := slices.IndexFunc(p.current, func(t Target) bool { return t.Raw == raw })
		if i >= 0 {
			all = append(all, p.current[i])
		} else {
			all = append(all, p.wanted)
		}
	}
	return all
}
