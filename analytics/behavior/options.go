package behavior

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vegress/vegress/analytics"
)

// Options is what a site configures: the mutable elements of the ATT&CK
// analytics under their own names, and bounds. The members have their keys'
// names.
type Options struct {
	AN1189 Windows `mapstructure:"an1189"`
	AN1190 Linux   `mapstructure:"an1190"`
	AN1191 MacOS   `mapstructure:"an1191"`
	// Ignore are ports whose connections are not looked at: "udp/123".
	Ignore []string `mapstructure:"ignore"`
	// MaxPairs bounds the pairs of source and destination that are followed, of
	// 220 bytes each, and those on probation, of 8.
	MaxPairs int `mapstructure:"max_pairs"`
}

// Windows are the elements of AN1189. They hold for all machines.
type Windows struct {
	// ProcessName are programs that raise a finding whatever they are else:
	// names without folders.
	ProcessName []string `mapstructure:"ProcessName"`
	// DataTransferThreshold is how many bytes a machine may send within
	// TimeWindow; 0: no bound.
	DataTransferThreshold int64         `mapstructure:"DataTransferThreshold"`
	TimeWindow            time.Duration `mapstructure:"TimeWindow"`
}

// Linux are the elements of AN1190. They hold for all machines.
type Linux struct {
	// ParentProcess are programs whose children raise a finding.
	ParentProcess []string `mapstructure:"ParentProcess"`
	// RequestFrequency is how many connections of a pair in a day are many; 0:
	// no number is.
	RequestFrequency int `mapstructure:"RequestFrequency"`
	// HostnamePattern are hosts that count as web services, beside the
	// catalogue's: for the detectors that look at processes.
	HostnamePattern []string `mapstructure:"HostnamePattern"`
}

// MacOS are the elements of AN1191. They hold for all machines.
type MacOS struct {
	ConnectionInterval Interval `mapstructure:"ConnectionInterval"`
	// ProcessSignature are signatures that count against a program: for the
	// detectors that look at processes.
	ProcessSignature []string `mapstructure:"ProcessSignature"`
}

// Interval bounds the periods that count as a beacon's.
type Interval struct {
	Min time.Duration `mapstructure:"min"`
	Max time.Duration `mapstructure:"max"`
}

// Bounds of the options.
const (
	maxThreshold = 4e9 // bytes, what a window's slot can hold
	maxWindow    = 24 * time.Hour
	maxInterval  = 7 * 24 * time.Hour
	maxFrequency = 100_000
	maxMaxPairs  = 20e6
)

// Validate names the key and the value of all that is wrong.
func (o *Options) Validate() error {
	var errs []error
	wrong := func(key string, value any, want string) {
		errs = append(errs, fmt.Errorf("analytics.%s: %v: %s", key, value, want))
	}
	if n := o.AN1189.DataTransferThreshold; n < 0 || n > maxThreshold {
		wrong("an1189.DataTransferThreshold", n, "must be 0 (off) to 4GB")
	}
	if w := o.AN1189.TimeWindow; w < 10*time.Second || w > maxWindow {
		wrong("an1189.TimeWindow", w, "must be 10s to 24h")
	}
	if n := o.AN1190.RequestFrequency; n < 0 || n > maxFrequency {
		wrong("an1190.RequestFrequency", n, "must be 0 (off) to 100000")
	}
	i := o.AN1191.ConnectionInterval
	if i.Min < minPeriod*time.Millisecond || i.Min > maxInterval {
		wrong("an1191.ConnectionInterval.min", i.Min, "must be 5s to 168h")
	}
	if i.Max < i.Min || i.Max > maxInterval {
		wrong("an1191.ConnectionInterval.max", i.Max, "must be ConnectionInterval.min to 168h")
	}
	if o.MaxPairs < 1000 || o.MaxPairs > maxMaxPairs {
		wrong("max_pairs", o.MaxPairs, "must be 1000 to 20000000")
	}
	for _, s := range o.Ignore {
		if _, err := parsePort(s); err != nil {
			wrong("ignore", strconv.Quote(s), err.Error())
		}
	}
	for key, list := range map[string][]string{"an1189.ProcessName": o.AN1189.ProcessName, "an1190.ParentProcess": o.AN1190.ParentProcess} {
		for _, name := range list {
			if name == "" || strings.ContainsAny(name, `/\`) {
				wrong(key, strconv.Quote(name), "want the name of a program without its folder, as curl or powershell.exe")
			}
		}
	}
	return errors.Join(errs...)
}

// protoPort is a protocol and a port.
type protoPort struct {
	protocol uint8
	port     uint16
}

func parsePort(s string) (p protoPort, err error) {
	name, number, ok := strings.Cut(s, "/")
	n, err := strconv.ParseUint(number, 10, 16)
	switch {
	case !ok || err != nil || n == 0:
	case name == "tcp":
		return protoPort{6, uint16(n)}, nil
	case name == "udp":
		return protoPort{17, uint16(n)}, nil
	}
	return p, errors.New("want tcp/ or udp/ and a port, as udp/123")
}

// Site is what the estate's other parts know. No member may be nil.
type Site struct {
	External func(netip.Addr) bool                   // it is on the internet
	Risky    func(category string) bool              // services of it carry command and control, or loot
	Domain   func(host string) string                // the registrable one
	Calendar func() func(time.Time) analytics.Moment // one for each goroutine
	Quiet    time.Duration                           // how long findings stay open at least
}

// Policy is Options and Site, compiled. It never changes.
type Policy struct {
	Site
	processes, parents map[string]bool
	ignore             []protoPort
	threshold          uint64
	window             time.Duration
	slot               int64 // milliseconds
	interval           Interval
	frequency          int // beats a day; 0: none are many
	maxPairs           int
}

// Compile makes a Policy of valid options.
func Compile(o Options, s Site) (*Policy, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	p := &Policy{
		Site: s, processes: names(o.AN1189.ProcessName), parents: names(o.AN1190.ParentProcess),
		threshold: uint64(o.AN1189.DataTransferThreshold), window: o.AN1189.TimeWindow,
		slot:     o.AN1189.TimeWindow.Milliseconds() / (windowSlots - 1),
		interval: o.AN1191.ConnectionInterval, frequency: o.AN1190.RequestFrequency, maxPairs: o.MaxPairs,
	}
	for _, text := range o.Ignore {
		port, _ := parsePort(text)
		p.ignore = append(p.ignore, port)
	}
	return p, nil
}

func names(list []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range list {
		all[strings.ToLower(name)] = true
	}
	return all
}

// quiet is how long a finding stays open: it must outlast the longest period.
func (p *Policy) quiet() time.Duration { return max(p.Quiet, p.interval.Max+time.Hour) }

func (p *Policy) ignores(protocol uint8, port uint16) bool {
	return slices.Contains(p.ignore, protoPort{protocol, port})
}

// baseName is a program's name without folders, in small letters.
func baseName(path string) string {
	return strings.ToLower(path[strings.LastIndexAny(path, `/\`)+1:])
}
