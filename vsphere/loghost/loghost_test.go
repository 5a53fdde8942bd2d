package loghost_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vegress/vegress/simulator"
	"github.com/vegress/vegress/vsphere/loghost"
	"github.com/vegress/vegress/vsphere/session"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The simulator's own, one for each server that was started.
		goleak.IgnoreTopFunction("github.com/vmware/govmomi/simulator.(*SessionManager).expireSessions"),
	)
}

// open starts a simulated vCenter over TLS, and gives a login that fits it.
func open(t testing.TB, o simulator.Options) (*simulator.Estate, session.Options) {
	t.Helper()
	o.VMs = 16
	e, err := simulator.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(e.Password()), 0o600); err != nil {
		t.Fatal(err)
	}
	return e, session.Options{Name: "vc1", URL: e.URL(), Username: e.Username(), PasswordFile: file, CAFile: e.CAFile(), UserAgent: "vegress/test"}
}

func host(t testing.TB, v loghost.VCenter, name string) *loghost.Host {
	t.Helper()
	if v.Error != "" {
		t.Fatal(v.Error)
	}
	i := slices.IndexFunc(v.Hosts, func(h loghost.Host) bool { return h.Name == name })
	if i < 0 {
		t.Fatalf("no host %s among %d", name, len(v.Hosts))
	}
	return &v.Hosts[i]
}

func TestRead(t *testing.T) {
	e, o := open(t, simulator.Options{})
	e.SetForwardings(simulator.Forwarding{Hostname: "siem.lab.example", Port: 514, Protocol: "UDP"}, simulator.Forwarding{Hostname: "2001:db8::9", Port: 6514, Protocol: "TLS"})
	e.SetHostState("esx02.lab.example", false, false)
	e.SetHostState("esx04.lab.example", true, true)
	v := loghost.Read(t.Context(), o)
	if v.Error != "" || len(v.Notes) > 0 || len(v.Hosts) != len(e.Site.Hosts) {
		t.Fatalf("got %d hosts, %q, notes %q", len(v.Hosts), v.Error, v.Notes)
	}
	for _, plan := range e.Site.Hosts {
		h := host(t, v, plan.Name)
		if h.VCenter != "vc1" || h.Cluster != plan.Cluster || h.Version != plan.Version || h.Build != plan.Build {
			t.Errorf("got %+v, want %+v", h, plan)
		}
		if h.LogHost != plan.LogHost.Targets || h.RuleSet == loghost.On != plan.LogHost.RuleSet || h.RuleSet == loghost.NotKnown || !h.Read {
			t.Errorf("%s: got %q, rule set %s, read %t; want %+v", h.Name, h.LogHost, h.RuleSet, h.Read, plan.LogHost)
		}
		if h.Connected() != (plan.Name != "esx02.lab.example") || h.Maintenance != (plan.Name == "esx04.lab.example") {
			t.Errorf("%s: %s, maintenance %t", h.Name, h.Connection, h.Maintenance)
		}
		if h.MaxLength != 1024 || h.LogLevel != "info" || h.CheckCert != loghost.On || len(h.Notes) > 0 {
			t.Errorf("%s: %+v", h.Name, h)
		}
	}
	if v.Version != "8.0.3" || v.FQDN != e.Site.VCenter || v.Events != loghost.On || !v.ForwardingRead {
		t.Errorf("got %+v", v)
	}
	got := []string{}
	for _, f := range v.Forwarding {
		got = append(got, f.Raw)
	}
	if want := []string{"udp://siem.lab.example:514", "ssl://[2001:db8::9]:6514"}; !slices.Equal(got, want) {
		t.Errorf("forwarding: got %q, want %q", got, want)
	}
}

// TestReadIsAHandfulOfCalls: the number of calls is that of pages, not of
// hosts.
func TestReadIsAHandfulOfCalls(t *testing.T) {
	for _, hosts := range []int{3, 60} {
		e, o := open(t, simulator.Options{Hosts: hosts})
		before := e.Calls()
		if v := loghost.Read(t.Context(), o); len(v.Hosts) != hosts {
			t.Fatalf("got %d hosts, %s", len(v.Hosts), v.Error)
		}
		if calls := e.Calls() - before; calls > 10 {
			t.Errorf("%d hosts: %d calls", hosts, calls)
		}
	}
}

func TestReadWhatIsRefused(t *testing.T) {
	t.Run("appliance", func(t *testing.T) {
		e, o := open(t, simulator.Options{})
		e.RefuseAppliance()
		v := loghost.Read(t.Context(), o)
		if v.Error != "" || len(v.Hosts) != 6 || v.ForwardingRead || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "role in the appliance") {
			t.Errorf("got %+v", v)
		}
	})
	t.Run("settings", func(t *testing.T) {
		e, o := open(t, simulator.Options{})
		e.Refuse("QueryOptions", "", 0, 0)
		v := loghost.Read(t.Context(), o)
		if v.Error != "" || len(v.Hosts) != 6 || v.Events != loghost.NotKnown || !strings.Contains(strings.Join(v.Notes, "\n"), "System.Read") {
			t.Errorf("got %+v", v)
		}
	})
	t.Run("hosts", func(t *testing.T) {
		e, o := open(t, simulator.Options{})
		e.Refuse("RetrievePropertiesEx", "", 0, 0)
		if v := loghost.Read(t.Context(), o); v.Error == "" || !v.Denied || len(v.Hosts) != 0 {
			t.Errorf("got %+v", v)
		}
	})
	t.Run("login", func(t *testing.T) {
		_, o := open(t, simulator.Options{})
		o.Username = "nobody"
		if v := loghost.Read(t.Context(), o); !strings.Contains(v.Error, "refused") || !v.Denied {
			t.Errorf("got %+v", v)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		_, o := open(t, simulator.Options{})
		o.URL = "https://127.0.0.1:1/sdk"
		if v := loghost.Read(t.Context(), o); v.Error == "" || v.Denied {
			t.Errorf("got %+v", v)
		}
	})
}

// wish is to have every host send to vegress.example.com.
func wish(target string) *loghost.Wish {
	one := loghost.ParseTargets(target)[0]
	return &loghost.Wish{Target: one, Ours: &loghost.Names{Hosts: []string{one.Host}, Ports: []int{514, 1514, one.Port}}}
}

func TestPlanHost(t *testing.T) {
	base := loghost.Host{Name: "esx", Version: "8.0.3", Connection: "connected", Read: true, RuleSet: loghost.On, MaxLength: 16384}
	const ours = "tcp://vegress.example.com:1514?formatter=RFC_5424&framing=octet_counting"
	tests := []struct {
		name, now, version, target string
		alter                      func(*loghost.Host)
		then, warns                string // warns: in the warnings, or in the refusal
	}{
		{name: "unset", then: ours},
		{name: "esxcli's none", now: "<none>", then: ours},
		{name: "others stay as they are written", now: "udp://siem:514 ,b,tcp://[2001:db8::1]?x=y", then: "udp://siem:514,b,tcp://[2001:db8::1]?x=y," + ours},
		{name: "what is no target stays", now: "gopher://a", then: "gopher://a," + ours, warns: "no target"},
		{name: "an older one is replaced in place", now: "a,udp://VEGRESS.example.com,b", then: "a," + ours + ",b"},
		{name: "two older ones", now: "udp://vegress.example.com,a,tcp://vegress.example.com", then: ours + ",a"},
		{name: "another port there stays", now: "tcp://vegress.example.com:9000", then: "tcp://vegress.example.com:9000," + ours},
		{name: "there already", now: "a," + ours, then: "a," + ours},
		{name: "old release", version: "7.0.3", then: "tcp://vegress.example.com:1514"},
		{name: "newer release", version: "9.0.1", then: ours},
		{name: "strange release", version: "x", then: "tcp://vegress.example.com:1514"},
		{name: "udp has no framing", target: "udp://vegress.example.com", then: "udp://vegress.example.com:514"},
		{name: "blocked port", target: "tcp://vegress.example.com:6514", then: "tcp://vegress.example.com:6514?formatter=RFC_5424&framing=octet_counting", warns: "not tcp port 6514"},
		{name: "blocked udp port", target: "udp://vegress.example.com:1514", then: "udp://vegress.example.com:1514", warns: "not udp port 1514"},
		{name: "many", now: "a,b,c,d,e", then: "a,b,c,d,e," + ours, warns: "6 targets"},
		{name: "cut", alter: func(h *loghost.Host) { h.MaxLength = 1024 }, then: ours, warns: "maxMsgLen"},
		{name: "disconnected", alter: func(h *loghost.Host) { h.Connection = "notResponding" }, warns: "notResponding"},
		{name: "unread", alter: func(h *loghost.Host) { h.Read, h.Notes = false, []string{"the account lacks System.Read"} }, warns: "System.Read"},
		{name: "too long", now: strings.Repeat("a,", 99), then: strings.Repeat("a,", 99), warns: "by hand"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := base
			h.LogHost, h.Targets = tt.now, loghost.ParseTargets(tt.now)
			if tt.version != "" {
				h.Version = tt.version
			}
			if tt.alter != nil {
				tt.alter(&h)
			}
			target := tt.target
			if target == "" {
				target = "tcp://vegress.example.com"
			}
			p := wish(target).Host(t.Context(), book(), &h)
			if p.Then != tt.then || p.Work() != (tt.now != tt.then && p.Refused == "") {
				t.Errorf("got %q (work %t, %s)\nwant %q", p.Then, p.Work(), p.Refused, tt.then)
			}
			said := strings.Join(p.Warnings, "\n") + p.Refused
			if !strings.Contains(said, tt.warns) || tt.warns == "" && said != "" {
				t.Errorf("got %q, want %q", said, tt.warns)
			}
		})
	}
}

// point reads, plans and does all hosts, and gives the outcomes by host.
func point(t *testing.T, o session.Options, w *loghost.Wish, confirm func(context.Context, *loghost.Plan) error) map[string]loghost.Outcome {
	t.Helper()
	p, err := loghost.NewPointer(o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Confirm = confirm
	v := loghost.Read(t.Context(), o)
	all := map[string]loghost.Outcome{}
	for i := range v.Hosts {
		plan := w.Host(t.Context(), book(), &v.Hosts[i])
		all[plan.Host] = p.Do(t.Context(), plan)
	}
	return all
}

func arrives(context.Context, *loghost.Plan) error { return nil }

func TestPoint(t *testing.T) {
	e, o := open(t, simulator.Options{})
	e.SetHostState("esx02.lab.example", false, false)
	for name, got := range point(t, o, wish("tcp://vegress.lab.example:1514"), arrives) {
		now := e.LogHost(name)
		was := e.Site.Hosts[slices.IndexFunc(e.Site.Hosts, func(h *simulator.Host) bool { return h.Name == name })].LogHost
		if name == "esx02.lab.example" {
			if got.State != loghost.Refused || now.RuleSet || now.Targets != "" {
				t.Errorf("%s: %s, now %+v", name, got.State, now)
			}
			continue
		}
		if got.Failed() || !now.RuleSet || now.Targets != got.Then || got.LogHost != now.Targets {
			t.Errorf("%s: %s %s, now %+v, want %q", name, got.State, got.Error, now, got.Then)
		}
		if !strings.Contains(now.Targets, "tcp://vegress.lab.example:1514") || strings.Count(now.Targets, "vegress") != 1 {
			t.Errorf("%s: now %q", name, now.Targets)
		}
		for _, other := range []string{"siem.lab.example"} {
			if strings.Contains(was.Targets, other) != strings.Contains(now.Targets, other) {
				t.Errorf("%s: %q became %q", name, was.Targets, now.Targets)
			}
		}
		if got.State == loghost.New && (!got.Confirmed || !strings.Contains(strings.Join(got.Notes, "\n"), "esxcli system syslog reload")) {
			t.Errorf("%s: confirmed %t, notes %q", name, got.Confirmed, got.Notes)
		}
	}
	for name, got := range point(t, o, wish("tcp://vegress.lab.example:1514"), arrives) {
		if want := loghost.Unchanged; got.State != want && name != "esx02.lab.example" {
			t.Errorf("again: %s is %s", name, got.State)
		}
	}
}

// TestPointUndoes: whatever step fails, the host has what it had.
func TestPointUndoes(t *testing.T) {
	const name = "esx05.lab.example" // its rule set is closed, and it has a target
	silent := errors.New("no line came")
	tests := []struct {
		name    string
		method  string
		pass    int
		times   int
		confirm func(context.Context, *loghost.Plan) error
		state   loghost.State
		says    string
	}{
		{"the list is refused", "UpdateOptions", 0, 0, arrives, loghost.Old, "Host.Config.AdvancedConfig"},
		{"the rule set is refused", "EnableRuleset", 0, 0, arrives, loghost.Undone, "Host.Config.NetService"},
		{"not read back", "QueryOptions", 1, 1, arrives, loghost.Undone, "read back"},
		{"no line", "", 0, 0, func(context.Context, *loghost.Plan) error { return silent }, loghost.Undone, "no line came"},
		{"undoing is refused too", "UpdateOptions", 1, 0, func(context.Context, *loghost.Plan) error { return silent }, loghost.InDoubt, "undoing that failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, o := open(t, simulator.Options{})
			before := e.LogHost(name)
			if tt.method != "" {
				e.Refuse(tt.method, name, tt.pass, tt.times)
			}
			all := point(t, o, wish("tcp://vegress.lab.example"), tt.confirm)
			got, now := all[name], e.LogHost(name)
			if got.State != tt.state || !strings.Contains(got.Error, tt.says) || !got.Failed() {
				t.Errorf("got %s, %q", got.State, got.Error)
			}
			if tt.state != loghost.InDoubt && (now != before || got.LogHost != before.Targets) {
				t.Errorf("now %+v, reported %q; was %+v", now, got.LogHost, before)
			}
			if tt.state == loghost.InDoubt && got.LogHost != now.Targets {
				t.Errorf("reported %q, has %q", got.LogHost, now.Targets)
			}
			if other := all["esx01.lab.example"]; tt.says != "no line came" && tt.state != loghost.InDoubt && other.State != loghost.New {
				t.Errorf("another host: %s %s", other.State, other.Error)
			}
		})
	}
}

func TestPointWhenThePlanIsOld(t *testing.T) {
	const name = "esx01.lab.example"
	e, o := open(t, simulator.Options{})
	v := loghost.Read(t.Context(), o)
	plan := wish("tcp://vegress.lab.example").Host(t.Context(), book(), host(t, v, name))
	e.SetLogHost(name, "udp://somebody-else.example")
	p, err := loghost.NewPointer(o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got := p.Do(t.Context(), plan); got.State != loghost.Old || !strings.Contains(got.Error, "plan again") {
		t.Errorf("got %s %s", got.State, got.Error)
	}
	if now := e.LogHost(name).Targets; now != "udp://somebody-else.example" {
		t.Errorf("now %q", now)
	}
}

// TestPointInterrupted: a host is old or new, and the outcome says which.
func TestPointInterrupted(t *testing.T) {
	const name = "esx01.lab.example"
	e, o := open(t, simulator.Options{})
	v := loghost.Read(t.Context(), o)
	plan := wish("tcp://vegress.lab.example").Host(t.Context(), book(), host(t, v, name))
	p, err := loghost.NewPointer(o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ended, end := context.WithCancel(t.Context())
	end()
	if got := p.Do(ended, plan); got.State != loghost.Old || e.LogHost(name).Targets != plan.Now {
		t.Errorf("before its turn: %s, now %q", got.State, e.LogHost(name).Targets)
	}
	ctx, end := context.WithCancel(t.Context())
	p.Confirm = func(ctx context.Context, _ *loghost.Plan) error { end(); return ctx.Err() }
	got := p.Do(ctx, plan)
	if got.State != loghost.New || got.Confirmed || e.LogHost(name).Targets != plan.Then {
		t.Errorf("while it waits: %s, confirmed %t, now %q", got.State, got.Confirmed, e.LogHost(name).Targets)
	}
}

func TestPointVCenter(t *testing.T) {
	e, o := open(t, simulator.Options{})
	p, err := loghost.NewPointer(o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	do := func() loghost.Outcome {
		v := loghost.Read(t.Context(), o)
		return p.Do(t.Context(), wish("ssl://vegress.lab.example").VCenter(t.Context(), book(), &v))
	}
	siem := simulator.Forwarding{Hostname: "siem.lab.example", Port: 514, Protocol: "RELP"}
	ours := simulator.Forwarding{Hostname: "vegress.lab.example", Port: 1514, Protocol: "TLS"}
	older := simulator.Forwarding{Hostname: "vegress.lab.example", Port: 514, Protocol: "UDP"}
	tests := []struct {
		name      string
		had, want []simulator.Forwarding
		state     loghost.State
	}{
		{"none", nil, []simulator.Forwarding{ours}, loghost.New},
		{"there already", []simulator.Forwarding{siem, ours}, []simulator.Forwarding{siem, ours}, loghost.Unchanged},
		{"others stay", []simulator.Forwarding{siem, siem}, []simulator.Forwarding{siem, siem, ours}, loghost.New},
		{"its own older one", []simulator.Forwarding{siem, older, siem}, []simulator.Forwarding{siem, ours, siem}, loghost.New},
		{"full", []simulator.Forwarding{siem, siem, siem}, []simulator.Forwarding{siem, siem, siem}, loghost.Refused},
	}
	for _, tt := range tests {
		e.SetForwardings(tt.had...)
		got := do()
		if got.State != tt.state || !slices.Equal(e.Forwardings(), tt.want) {
			t.Errorf("%s: %s (%s), now %v", tt.name, got.State, got.Error, e.Forwardings())
		}
		if tt.state == loghost.Refused && !strings.Contains(got.Error, "3 servers already") {
			t.Errorf("%s: %q", tt.name, got.Error)
		}
	}
	e.SetForwardings(siem)
	p.Confirm = func(context.Context, *loghost.Plan) error { return errors.New("no line came") }
	if got := do(); got.State != loghost.Undone || !slices.Equal(e.Forwardings(), []simulator.Forwarding{siem}) {
		t.Errorf("no line: %s, now %v", got.State, e.Forwardings())
	}
}

// TestWatcher hands on what it reads, again and again, and what cannot be read.
func TestWatcher(t *testing.T) {
	e, o := open(t, simulator.Options{})
	away := o
	away.Name, away.URL = "away", "https://127.0.0.1:1/sdk"
	ctx, stop := context.WithCancel(t.Context())
	var moved, failed atomic.Int32
	var first atomic.Bool
	w := loghost.Watcher{
		VCenters: []session.Options{o, away}, Every: time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Take: func(v loghost.VCenter) {
			switch {
			case v.Name == "away" && v.Error != "":
				failed.Add(1)
			case v.Error != "":
				t.Error(v.Error)
			case host(t, v, "esx01.lab.example").LogHost == "udp://other.example":
				moved.Add(1)
			case first.CompareAndSwap(false, true):
				e.SetLogHost("esx01.lab.example", "udp://other.example")
			}
			if moved.Load() > 1 && failed.Load() > 1 {
				stop()
			}
		},
	}
	w.Run(ctx)
	if moved.Load() < 2 || failed.Load() < 2 {
		t.Errorf("moved %d, failed %d", moved.Load(), failed.Load())
	}
}
