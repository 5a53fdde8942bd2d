package server

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/vegress/vegress/syslog"
)

// Options is what a Server is made of. The members with a mapstructure tag
// stand under "listen" in the configuration, Limits under "limits".
type Options struct {
	// Listen names the sockets: "tcp://:1514", "udp://:514",
	// "udp://[::1]:1514", any number of each. A tcp socket takes TLS too when
	// TLS is configured, told by the first byte; tls://:6514 takes nothing
	// else. Without a host both IPv4 and IPv6 are taken.
	Listen []string `mapstructure:"syslog"`
	TLS    TLS      `mapstructure:"tls"`
	// AllowedSources are the networks or addresses that may send; empty: all.
	AllowedSources []string `mapstructure:"allowed_sources"`

	// Key is the configuration key of Listen, for errors; empty: listen.syslog.
	Key string `mapstructure:"-"`
	// Datagrams takes whole datagrams as records, byte for byte: nothing is cut
	// off or left out. All of Listen is udp then.
	Datagrams bool `mapstructure:"-"`

	Limits Limits `mapstructure:"-"`
	// Optional names those of Listen that may fail to bind: the others still
	// start, and a warning says why this one did not.
	Optional []string `mapstructure:"-"`
	// Logger gets what an operator should know; nil: nobody.
	Logger *slog.Logger `mapstructure:"-"`
}

// TLS names the PEM files of a listener's certificate. With a ClientCAFile,
// TLS clients must show a certificate that it signed.
type TLS struct {
	CertFile     string `mapstructure:"cert_file"`
	KeyFile      string `mapstructure:"key_file"`
	ClientCAFile string `mapstructure:"client_ca_file"`
}

// Limits keeps senders within bounds. Zero members mean the default.
type Limits struct {
	Connections          int           `mapstructure:"connections"`            // in all; default 2000
	ConnectionsPerSource int           `mapstructure:"connections_per_source"` // of one address, or one IPv6 /64; default 64
	Message              int64         `mapstructure:"message"`                // bytes; records are cut here; default 64 KiB
	Idle                 time.Duration `mapstructure:"idle"`                   // a connection silent for so long is closed; default 10m
}

// The bounds of Limits.Message. RFC 5424 wants at least 480 bytes taken.
const (
	minMessage = 480
	maxMessage = 1 << 20
)

// Validate says what is wrong, by configuration key and value. Files are only
// looked at by New.
func (o Options) Validate() error {
	var errs []error
	for _, spec := range o.Listen {
		a, err := o.parseSpec(spec)
		if err != nil {
			errs = append(errs, err)
		} else if a.scheme == "tls" && !o.TLS.configured() {
			errs = append(errs, fmt.Errorf("listen.syslog: %s needs listen.tls.cert_file and listen.tls.key_file", spec))
		}
	}
	if (o.TLS.CertFile == "") != (o.TLS.KeyFile == "") {
		errs = append(errs, fmt.Errorf("listen.tls: cert_file %q and key_file %q: set both or none", o.TLS.CertFile, o.TLS.KeyFile))
	}
	if o.TLS.ClientCAFile != "" && !o.TLS.configured() {
		errs = append(errs, fmt.Errorf("listen.tls.client_ca_file %q: needs cert_file and key_file too", o.TLS.ClientCAFile))
	}
	_, err := parseSources(o.AllowedSources)
	return errors.Join(append(errs, err, o.Limits.Validate())...)
}

// Validate says which limit cannot be.
func (l Limits) Validate() error {
	var errs []error
	negative := func(key string, n int) {
		if n < 0 {
			errs = append(errs, fmt.Errorf("limits.%s: %d: must not be negative", key, n))
		}
	}
	negative("connections", l.Connections)
	negative("connections_per_source", l.ConnectionsPerSource)
	if l.Message != 0 && (l.Message < minMessage || l.Message > maxMessage) {
		errs = append(errs, fmt.Errorf("limits.message: %d bytes: must be %d to %d", l.Message, minMessage, maxMessage))
	}
	if l.Idle < 0 {
		errs = append(errs, fmt.Errorf("limits.idle: %s: must not be negative", l.Idle))
	}
	return errors.Join(errs...)
}

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	l.Connections = cmp.Or(l.Connections, 2000)
	l.ConnectionsPerSource = cmp.Or(l.ConnectionsPerSource, 64)
	l.Message = cmp.Or(l.Message, syslog.DefaultMaxMessage)
	l.Idle = cmp.Or(l.Idle, 10*time.Minute)
	return l
}

func (t TLS) configured() bool { return t.CertFile != "" && t.KeyFile != "" }

// address is a listener's, taken apart.
type address struct {
	spec   string
	scheme string // "udp", "tcp" or "tls"
	host   string // "host:port" for package net
}

// key is the configuration key of Listen.
func (o Options) key() string { return cmp.Or(o.Key, "listen.syslog") }

func (o Options) parseSpec(spec string) (address, error) {
	schemes, want := []string{"udp", "tcp", "tls"}, "udp://, tcp:// or tls://"
	if o.Datagrams {
		schemes, want = schemes[:1], "udp://"
	}
	u, err := url.Parse(spec)
	if err != nil || u.Host == "" || u.Path != "" || !slices.Contains(schemes, u.Scheme) {
		return address{}, fmt.Errorf("%s: %q: want %s and [host]:port", o.key(), spec, want)
	}
	_, port, err := net.SplitHostPort(u.Host)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || port != strconv.FormatUint(n, 10) {
		return address{}, fmt.Errorf("%s: %q: want a port from 0 to 65535 behind a colon", o.key(), spec)
	}
	return address{spec, u.Scheme, u.Host}, nil
}

// parseSources reads CIDRs and bare addresses.
func parseSources(list []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, fmt.Errorf("listen.allowed_sources: %q: neither a network such as 10.0.0.0/8 nor an address", s)
			}
			p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		prefixes = append(prefixes, p.Masked())
	}
	return prefixes, nil
}
