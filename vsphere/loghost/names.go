package loghost

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Names say which targets are vegress itself.
type Names struct {
	Hosts []string     `json:"hosts"`
	Addrs []netip.Addr `json:"addresses,omitempty"`
	// Ports on which vegress listens; empty: any. A target at one of the names
	// but another port is not vegress.
	Ports []int `json:"ports,omitempty"`
}

// Answer is yes, no, or not known.
type Answer string

// Answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown" // the name cannot be resolved
)

// Book resolves names of targets, each once. It is not safe for concurrent
// use.
type Book struct {
	// Lookup gives the addresses of a name, as net.Resolver.LookupNetIP.
	Lookup func(ctx context.Context, network, host string) ([]netip.Addr, error)

	known map[string][]netip.Addr // nil: cannot be resolved
}

// Bounds of what a Book looks up.
const (
	maxLookups    = 256
	lookupTimeout = 3 * time.Second
)

// Addrs are the addresses of a name, or the address that it is; none when it
// cannot be resolved.
func (b *Book) Addrs(ctx context.Context, host string) []netip.Addr {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}
	}
	host = foldHost(host)
	if found, asked := b.known[host]; asked {
		return found
	}
	if len(b.known) >= maxLookups {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := b.Lookup(ctx, "ip", host)
	if err != nil {
		found = nil
	}
	for i := range found {
		found[i] = found[i].Unmap()
	}
	if b.known == nil {
		b.known = map[string][]netip.Addr{}
	}
	b.known[host] = found
	return found
}

// Ours says whether t is vegress, by name, else by address.
func (b *Book) Ours(ctx context.Context, n *Names, t Target) Answer {
	if t.Fault != "" || len(n.Ports) > 0 && !slices.Contains(n.Ports, t.Port) {
		return No
	}
	if slices.ContainsFunc(n.Hosts, func(name string) bool { return sameHost(name, t.Host) }) {
		return Yes
	}
	found := b.Addrs(ctx, t.Host)
	if len(found) == 0 {
		return Unknown
	}
	if slices.ContainsFunc(found, func(ip netip.Addr) bool { return slices.Contains(n.Addrs, ip) }) {
		return Yes
	}
	return No
}

// Among says whether vegress is among targets.
func (b *Book) Among(ctx context.Context, n *Names, targets []Target) Answer {
	best := No
	for _, t := range targets {
		switch b.Ours(ctx, n, t) {
		case Yes:
			return Yes
		case Unknown:
			best = Unknown
		}
	}
	return best
}

func foldHost(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// sameHost compares names without case and a dot at their end, and addresses
// by value.
func sameHost(a, b string) bool {
	if foldHost(a) == foldHost(b) {
		return true
	}
	x, err := netip.ParseAddr(a)
	y, err2 := netip.ParseAddr(b)
	return err == nil && err2 == nil && x.Unmap() == y.Unmap()
}
