package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/vsphere/loghost"
	"github.com/vegress/vegress/vsphere/session"
)

func newHostsCommand(std Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hosts",
		Short: "Where hosts and vCenters send their syslog, and pointing them here",
	}
	group(cmd)
	cmd.AddCommand(newHostsStatusCommand(std), newHostsPointCommand(std))
	return cmd
}

// estateFlags say which vCenters are read, which of their hosts are meant, and
// where the running service is.
type estateFlags struct {
	nats    natsFlags
	vcenter session.Options
	only    selection
}

func (f *estateFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	configFlag(cmd, &f.nats.config)
	flags.StringVar(&f.vcenter.URL, "vcenter", "", "`URL` of a vCenter to read (https://host/sdk) instead of the configured ones; or the name of a configured one, as --vcenter-name")
	flags.StringVar(&f.vcenter.Name, "name", "vc1", "name of the vCenter at that URL")
	flags.StringVar(&f.vcenter.Username, "username", "", "its account with the Read-only role")
	flags.StringVar(&f.vcenter.PasswordFile, "password-file", "", "`file` with that account's password; else VEGRESS_VCENTER_<NAME>_PASSWORD")
	flags.StringVar(&f.vcenter.CAFile, "ca-file", "", "PEM `file` with the certificates to trust at that URL")
	flags.StringVar(&f.vcenter.Thumbprint, "thumbprint", "", "SHA-256 or SHA-1 of its certificate, instead of --ca-file")
	flags.StringSliceVar(&f.only.hosts, "host", nil, "only these `hosts`: full or short names, * and ? as in file names")
	flags.StringSliceVar(&f.only.clusters, "cluster", nil, "only hosts of these `clusters`")
	flags.StringSliceVar(&f.only.vcenters, "vcenter-name", nil, "only these configured `vCenters`")
	f.nats.registerServer(cmd, "nats-")
}

// vcenters are the ones to read.
func (f *estateFlags) vcenters(config *configs.Config) ([]session.Options, error) {
	agent := "vegress/" + buildVersion()
	if strings.Contains(f.vcenter.URL, "://") {
		one := f.vcenter
		one.UserAgent = agent
		if !fitsAny(f.only.vcenters, one.Name) {
			return nil, fmt.Errorf("--vcenter-name %s and --vcenter with a URL: that vCenter is %q (--name)", strings.Join(f.only.vcenters, ","), one.Name)
		}
		return []session.Options{one}, one.Validate()
	}
	if f.vcenter.URL != "" {
		f.only.vcenters = append(f.only.vcenters, f.vcenter.URL)
		f.vcenter.URL = ""
	}
	var all []session.Options
	var names []string
	for _, v := range config.VCenters {
		names = append(names, v.Name)
		if fitsAny(f.only.vcenters, v.Name) {
			v.UserAgent = agent
			all = append(all, v.Options)
		}
	}
	for _, name := range f.only.vcenters {
		if !slices.ContainsFunc(names, func(n string) bool { return fits(name, n) }) {
			return nil, fmt.Errorf("no vCenter %q is configured%s", name, configs.DidYouMean(name, names))
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no vCenter is configured: name a configuration that has some (--config), or one vCenter (--vcenter https://host/sdk --username NAME --password-file FILE)")
	}
	return all, nil
}

// read reads the vCenters, all at the same time, and leaves of their hosts what
// is selected.
func (f *estateFlags) read(ctx context.Context, vcenters []session.Options) ([]loghost.VCenter, error) {
	all := make([]loghost.VCenter, len(vcenters))
	var reading sync.WaitGroup
	for i, o := range vcenters {
		reading.Go(func() { all[i] = loghost.Read(ctx, o) })
	}
	reading.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := f.only.check(all); err != nil {
		return nil, usage(err)
	}
	for i := range all {
		all[i].Hosts = slices.DeleteFunc(all[i].Hosts, func(h loghost.Host) bool { return !f.only.takes(&h) })
	}
	return all, nil
}

// selection says which hosts are meant: by each of the lists that is not empty.
type selection struct {
	hosts, clusters, vcenters []string
}

func (s *selection) takes(h *loghost.Host) bool {
	return (fitsAny(s.hosts, h.Name) || fitsAny(s.hosts, shortName(h.Name))) && fitsAny(s.clusters, h.Cluster)
}

// part says that only some hosts are meant.
func (s *selection) part() bool { return len(s.hosts)+len(s.clusters) > 0 }

// check refuses a name that fits nothing, which is a slip of the pen: unless a
// vCenter could not be read, which may have it.
func (s *selection) check(all []loghost.VCenter) error {
	var hosts, clusters []string
	for _, v := range all {
		if v.Error != "" {
			return nil
		}
		for _, h := range v.Hosts {
			hosts = append(hosts, h.Name, shortName(h.Name))
			clusters = append(clusters, h.Cluster)
		}
	}
	for what, names := range map[string][2][]string{"host": {s.hosts, hosts}, "cluster": {s.clusters, clusters}} {
		for _, name := range names[0] {
			if !slices.ContainsFunc(names[1], func(n string) bool { return fits(name, n) }) {
				return fmt.Errorf("no %s fits %q%s", what, name, configs.DidYouMean(name, names[1]))
			}
		}
	}
	return nil
}

// shortName is a host name up to its first dot; an address stays whole.
func shortName(name string) string {
	if _, err := netip.ParseAddr(name); err == nil {
		return name
	}
	short, _, _ := strings.Cut(name, ".")
	return short
}

func fitsAny(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return fits(p, name) })
}

// fits matches a name against a pattern with * and ?, without case.
func fits(pattern, name string) bool {
	quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("(?is)^" + quoted + "$").MatchString(name)
}

// namingTimeout bounds the look-ups of names, all that are made at a time: where
// DNS is away, names stay unknown.
const namingTimeout = 15 * time.Second

func newBook() *loghost.Book { return &loghost.Book{Lookup: net.DefaultResolver.LookupNetIP} }

// ownNames are the names and addresses by which a host may know this collector:
// what --target says, else those of this machine.
func ownNames(ctx context.Context, b *loghost.Book, config *configs.Config, targets []string) (loghost.Names, error) {
	var n loghost.Names
	ctx, cancel := context.WithTimeout(ctx, namingTimeout)
	defer cancel()
	for _, text := range targets {
		t, err := parseTarget(text, false)
		if err != nil {
			return n, fmt.Errorf("--target: %w", err)
		}
		n.Hosts = append(n.Hosts, t.Host)
		n.Addrs = append(n.Addrs, b.Addrs(ctx, t.Host)...)
	}
	if len(targets) > 0 {
		return n, nil
	}
	n.Ports = listenPorts(config)
	n.Addrs = machineAddrs()
	name, err := os.Hostname()
	if err != nil {
		return n, fmt.Errorf("the name of this machine: %w", err)
	}
	n.Hosts = append(n.Hosts, name)
	if full, err := net.DefaultResolver.LookupCNAME(ctx, name); err == nil && shortName(full) == shortName(name) {
		n.Hosts = append(n.Hosts, strings.TrimSuffix(full, "."))
	}
	slices.Sort(n.Hosts)
	n.Hosts = slices.Compact(n.Hosts)
	return n, nil
}

// machineAddrs are the addresses at which others reach this machine.
func machineAddrs() []netip.Addr {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil // then names must do
	}
	var out []netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if ip := prefix.Addr().Unmap(); err == nil && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			out = append(out, ip)
		}
	}
	return out
}

// listenPorts are the ports of the configured syslog listeners.
func listenPorts(config *configs.Config) []int {
	var all []int
	for _, spec := range config.Listen.Syslog.Listen {
		_, port, err := net.SplitHostPort(spec[strings.LastIndex(spec, "/")+1:])
		if n, bad := strconv.Atoi(port); err == nil && bad == nil && n > 0 && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// parseTarget reads a collector's address as a person writes it:
// [PROTOCOL://]NAME[:PORT], TCP unless another protocol is named.
func parseTarget(text string, tls bool) (loghost.Target, error) {
	protocol := "tcp"
	if tls {
		protocol = "ssl"
	}
	full := text
	if ip, err := netip.ParseAddr(text); err == nil && ip.Is6() {
		full = "[" + text + "]"
	}
	if !strings.Contains(full, "://") {
		full = protocol + "://" + full
	}
	all := loghost.ParseTargets(full)
	switch {
	case len(all) != 1:
		return loghost.Target{}, fmt.Errorf("%q: want one collector, as vegress.example.com or tcp://vegress.example.com:1514", text)
	case all[0].Fault != "":
		return all[0], fmt.Errorf("%q: %s (want vegress.example.com, or tcp://, ssl://, udp://vegress.example.com:PORT)", text, all[0].Fault)
	case tls && all[0].Protocol != "ssl":
		return all[0], fmt.Errorf("%q and --tls: the protocol of TLS is ssl://", text)
	}
	ip, err := netip.ParseAddr(all[0].Host)
	if strings.EqualFold(all[0].Host, "localhost") || err == nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		return all[0], fmt.Errorf("%q: to a host that is the host itself; want the collector's name in DNS, or its address", text)
	}
	return all[0], nil
}

// paths are the log paths that a running service knows, by the slug of the
// host's name; of one without a domain by that of its short name.
type paths map[string]*event.HostPath

func (p paths) of(names ...string) *event.HostPath {
	for _, name := range names {
		if found := p[event.Slug(name)]; found != nil {
			return found
		}
	}
	for _, name := range names {
		if found := p[event.Slug(shortName(name))]; found != nil {
			return found
		}
	}
	return nil
}

// pathsTimeout bounds one reading of the service's state.
const pathsTimeout = 10 * time.Second

// livePaths reads what the running service knows of hosts.
func (f *natsFlags) livePaths(ctx context.Context, std Streams) (paths, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	nc, err := f.dial(std, end)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	limited, cancel := context.WithTimeout(ctx, pathsTimeout)
	defer cancel()
	all, err := forward.HostPaths(limited, nc)
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if err != nil {
		return nil, hinted(err)
	}
	known := paths{}
	for i := range all {
		known[event.Slug(all[i].Host)] = &all[i]
	}
	return known, nil
}

// cut keeps a text of others short and off the terminal's controls.
func cut(text string, most int) string {
	runes := []rune(plain(text))
	if len(runes) <= most {
		return cmp.Or(string(runes), "-")
	}
	return string(runes[:most-1]) + "…"
}
