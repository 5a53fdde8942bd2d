package app

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/vegress/vegress/event"
)

// TestTailFilter: what is shown is what all filters fit.
func TestTailFilter(t *testing.T) {
	src := event.Endpoint{IP: netip.MustParseAddr("10.1.0.10"), Port: 58688, Context: event.Context{VM: &event.VM{Name: "CRM-app02", Host: "esx01"}}}
	dst := event.Endpoint{IP: netip.MustParseAddr("203.0.113.40"), Port: 443, Hostname: "api.telegram.org", Service: "Telegram"}
	judged := event.Justification{Verdict: event.VerdictUnjustified, Reason: event.ReasonNoRole}
	finding := (&event.Finding{
		UID: "u", Revision: "r", Activity: event.FindingCreate, Status: event.FindingNew, Severity: event.SeverityHigh,
		Analytic: event.Analytic{UID: "egress.unjustified"}, Time: time.Unix(1, 0), Device: event.Device{Hostname: "esx01.lab.example"},
		Src: src, Dst: dst, Justification: judged,
	}).AppendJSON(nil)
	flow := (&event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkOpen, Time: time.Unix(1, 0), UID: "e", Protocol: 6,
		Device: event.Device{Hostname: "esx01.lab.example"}, Src: src, Dst: dst, Justification: judged,
	}).AppendJSON(nil)

	f := func(only tailFilter, wantFinding, wantEvent bool) {
		t.Helper()
		shown, err := only.compile(false)
		if err != nil || shown(finding) != wantFinding {
			t.Errorf("%+v: finding shown %t, want %t, %v", only, shown(finding), wantFinding, err)
		}
		if only.severity+only.analytic != "" {
			if _, err := only.compile(true); err == nil {
				t.Errorf("%+v is taken for events", only)
			}
			return
		}
		if shown, err = only.compile(true); err != nil || shown(flow) != wantEvent {
			t.Errorf("%+v: event shown %t, want %t, %v", only, shown(flow), wantEvent, err)
		}
	}
	f(tailFilter{}, true, true)
	f(tailFilter{severity: "Medium"}, true, false)
	f(tailFilter{severity: "critical"}, false, false)
	f(tailFilter{analytic: "egress.unjustified"}, true, false)
	f(tailFilter{analytic: "egress_unjustified"}, true, false)
	f(tailFilter{analytic: "egress"}, false, false)
	f(tailFilter{verdict: "unjustified"}, true, true)
	f(tailFilter{verdict: "justified"}, false, false)
	for _, text := range []string{"crm-APP02", "10.1.0.10", "telegram", "esx01.lab", "203.0.113."} {
		f(tailFilter{match: text}, true, true)
	}
	f(tailFilter{match: "bkp"}, false, false)
	f(tailFilter{match: "crm", verdict: "unknown"}, false, false)
	for _, wrong := range []tailFilter{{severity: "hihg"}, {verdict: "guilty"}} {
		if _, err := wrong.compile(false); err == nil || !strings.Contains(err.Error(), "must be one of") {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
}

// TestTailElsewhere: a NATS server that is not vegress's ends the command, in
// one line.
func TestTailElsewhere(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]server.Options{
		"no stream of vegress": {JetStream: true, StoreDir: t.TempDir()},
		"no JetStream":         {},
	} {
		o.Host, o.Port, o.NoLog, o.NoSigs = "127.0.0.1", server.RANDOM_PORT, true, true
		ns, err := server.NewServer(&o)
		if err != nil {
			t.Fatal(err)
		}
		ns.Start()
		if !ns.ReadyForConnections(10 * time.Second) {
			t.Fatal("the server is not ready")
		}
		for _, more := range [][]string{nil, {"--since", "1h"}} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			var out, errs strings.Builder
			code := Main(ctx, append([]string{"tail", "--nats", ns.ClientURL()}, more...), Streams{Out: &out, Err: &errs})
			if ctx.Err() != nil || code != exitFailed || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), name) {
				t.Errorf("%s, %v: exit code %d, %q", name, more, code, errs.String())
			}
			cancel()
		}
		ns.Shutdown()
		ns.WaitForShutdown()
	}
}

// TestNATSAddresses: what --nats and the configuration may hold.
func TestNATSAddresses(t *testing.T) {
	for given, want := range map[string]string{
		"127.0.0.1:4222":                      "nats://127.0.0.1:4222",
		"tls://a.example.com:4222, b.example": "tls://a.example.com:4222,nats://b.example",
	} {
		if got, err := natsURL(given); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", given, got, err, want)
		}
	}
	for _, wrong := range []string{"http://127.0.0.1:4222", "nats://a:s3cret/x@127.0.0.1:4222", "nats://"} {
		if _, err := natsURL(wrong); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	for given, want := range map[string]string{":4222": "nats://127.0.0.1:4222", "[::1]:4222": "nats://[::1]:4222", "": "", "127.0.0.1:0": ""} {
		if got, err := listenURL(given); got != want || (err == nil) != (want != "") {
			t.Errorf("forward.listen %q: %q, %v, want %q", given, got, err, want)
		}
	}
}
