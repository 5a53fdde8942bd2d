package simulator_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"maps"
	"math/big"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/vegress/vegress/simulator"
)

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestTrafficIsDeterministic(t *testing.T) {
	read := func(seed uint64) string {
		var b strings.Builder
		for r := range site(t, simulator.Options{Seed: seed}).Traffic().Records() {
			fmt.Fprintf(&b, "%d %d %s\n", r.Time.UnixNano(), r.Sender, r.Line)
		}
		return b.String()
	}
	first, again := read(3), read(3)
	if first != again {
		t.Error("one seed gave two nights")
	}
	if first == read(4) {
		t.Error("two seeds gave one night")
	}
}

func TestTrafficIsInOrder(t *testing.T) {
	tr := site(t, simulator.Options{}).Traffic()
	senders := tr.Senders()
	last := tr.Start()
	final := make(map[int]time.Time)
	for r := range tr.Records() {
		if r.Time.Before(last) || r.Time.After(tr.End()) {
			t.Fatalf("%s after %s: %q", r.Time, last, r.Line)
		}
		last = r.Time
		final[r.Sender] = r.Time
		at, ok := timeOf(r.Line)
		if !ok || !at.Equal(r.Time) {
			t.Fatalf("the line does not carry its time %s: %q", r.Time, r.Line)
		}
		if got, want := senderOf(r.Line), senders[r.Sender].Name; got != want {
			t.Fatalf("the line is of %s, not of %s: %q", got, want, r.Line)
		}
		if strings.ContainsAny(r.Line, "\n\r\x00") || len(r.Line) > 2000 || strings.Contains(r.Line, "%!") {
			t.Fatalf("no record: %q", r.Line)
		}
	}
	for i, s := range senders {
		silenced := s.Name == "esx05.lab.example" || s.Name == "esx06.lab.example"
		if final[i].Equal(tr.End()) == silenced {
			t.Errorf("%s ends at %s, the night at %s", s.Name, final[i], tr.End())
		}
	}
}

func TestTruthCounts(t *testing.T) {
	tr := site(t, simulator.Options{}).Traffic()
	truth := tr.Truth()
	records, pieces := 0, 0
	by := make(map[string]int)
	split := make(map[string]bool)
	for r := range tr.Records() {
		records++
		by[senderOf(r.Line)]++
		if strings.Contains(r.Line, " --> ") {
			pieces++
		}
		var id, part, of int
		if i := strings.Index(r.Line, "Event ["); i >= 0 {
			if n, _ := fmt.Sscanf(r.Line[i:], "Event [%d] [%d-%d]", &id, &part, &of); n == 3 && part > 1 {
				pieces++
				split[fmt.Sprint(id)] = true
			}
		}
	}
	if truth.Records != records || truth.Joined() != pieces || !maps.Equal(truth.BySender, by) {
		t.Errorf("truth says %d records, %d joined; the lines say %d and %d", truth.Records, truth.Joined(), records, pieces)
	}
	if pieces == 0 || len(split) == 0 || truth.Split <= len(split) {
		t.Errorf("%d pieces, %d split vCenter events, %d split events: want some of each", pieces, len(split), truth.Split)
	}
	t.Logf("%d records, %d events, %d of them in pieces", truth.Records, truth.Events, truth.Split)
}

// TestTruthIsInTheLines reads the firewall lines by hand and compares.
func TestTruthIsInTheLines(t *testing.T) {
	s := site(t, simulator.Options{})
	tr := s.Traffic()
	seen := make(map[[2]string]int)
	for r := range tr.Records() {
		if src, dst, ok := arrow(r.Line); ok {
			seen[[2]string{src, dst}]++
		}
	}
	told := make(map[[2]string]int)
	truth := tr.Truth()
	for _, st := range truth.Stories {
		if st.Destination.IsValid() {
			told[[2]string{st.Address.String(), netip.AddrPortFrom(st.Destination, st.Port).String()}] += st.Records
		}
	}
	for _, h := range truth.Honest {
		if !h.Destination.IsValid() {
			continue
		}
		src := h.Address
		if h.Destination.Is6() {
			src = vmNamed(t, s, h.VM).Address6
		}
		told[[2]string{src.String(), netip.AddrPortFrom(h.Destination, h.Port).String()}] += h.Records
	}
	for key, n := range seen {
		dst := netip.MustParseAddrPort(key[1])
		if dst.Addr().IsPrivate() {
			continue
		}
		if told[key] != n {
			t.Errorf("%s to %s: %d lines, the truth says %d", key[0], key[1], n, told[key])
		}
	}
	for key, n := range told {
		if seen[key] != n {
			t.Errorf("%s to %s: the truth says %d lines, there are %d", key[0], key[1], n, seen[key])
		}
	}
}

// arrow finds "SRC/PORT->DST/PORT" and gives the source's address and the
// destination.
func arrow(line string) (src, dst string, ok bool) {
	i := strings.Index(line, "->")
	if i < 0 || !strings.Contains(line, " INET") {
		return "", "", false
	}
	before, after := line[:i], line[i+2:]
	before = before[strings.LastIndexByte(before, ' ')+1:]
	after, _, _ = strings.Cut(after, " ")
	from, _, ok1 := strings.Cut(before, "/")
	to, port, ok2 := strings.Cut(after, "/")
	a, err1 := netip.ParseAddr(from)
	b, err2 := netip.ParseAddr(to)
	if !ok1 || !ok2 || err1 != nil || err2 != nil {
		return "", "", false
	}
	if b.Is6() {
		return a.String(), "[" + b.String() + "]:" + port, true
	}
	return a.String(), b.String() + ":" + port, true
}

func TestStories(t *testing.T) {
	s := site(t, simulator.Options{})
	want := map[string][2]string{
		"beacon": {"unjustified", "no_role"}, "upload": {"unjustified", "no_role"},
		"late-backup": {"unjustified", "window"}, "host-fetch": {"unjustified", "destination"},
		"duplicate-address": {"unknown", "ambiguous"}, "firewall-opened": {"", ""},
		"api-from-outside": {"", ""}, "stolen-account": {"", ""}, "guest-program": {"", ""}, "bulk-power-off": {"", ""},
		"silent": {"", ""}, "silent-back": {"", ""}, "misdirected": {"", ""}, "loss": {"", ""},
		"vmotion": {"unjustified", "no_role"}, "doors-opened": {"", ""}, "tool-fetched": {"unjustified", "destination"}, "ssh-brute-force": {"", ""},

		"egress-dead-drop": {"unjustified", "no_role"}, "egress-graph": {"unjustified", "no_role"}, "egress-web-hook": {"unjustified", "no_role"},
		"egress-bot": {"unjustified", "no_role"}, "egress-raw-fetch": {"unjustified", "no_role"},
	}
	truth := s.Traffic().Truth()
	if len(truth.Stories) != len(want) {
		t.Errorf("%d stories, want %d", len(truth.Stories), len(want))
	}
	for _, st := range truth.Stories {
		if got := [2]string{st.Verdict, st.Reason}; got != want[st.ID] {
			t.Errorf("%s: %v, want %v", st.ID, got, want[st.ID])
		}
		if st.Analytic == "host.silent" {
			continue // nothing tells of it: that is the story
		}
		if st.Records == 0 || st.First.IsZero() || st.Last.Before(st.First) {
			t.Errorf("%s tells nothing: %+v", st.ID, st)
		}
	}
	twin, clone := vmNamed(t, s, "bkp03"), vmNamed(t, s, "bkp03-restoretest")
	if twin.Address != clone.Address || twin.Host == clone.Host {
		t.Errorf("the twins have %s on %s and %s on %s", twin.Address, twin.Host, clone.Address, clone.Host)
	}
}

// TestHonestIsWithinConfig holds the truth against the configuration that the
// collector gets: role, destination and window.
func TestHonestIsWithinConfig(t *testing.T) {
	s := site(t, simulator.Options{})
	var config struct {
		Roles          []struct{ Name string }
		Justifications []struct {
			Name, Role            string
			Destinations, Windows []string
			Ports                 []uint16
		}
	}
	if err := yaml.Unmarshal([]byte(s.Config()), &config); err != nil {
		t.Fatal(err)
	}
	for _, h := range s.Traffic().Truth().Honest {
		if h.By == "" && h.Run != "" {
			continue // no justification, but what vSphere reports
		}
		i := slices.IndexFunc(config.Justifications, func(j struct {
			Name, Role            string
			Destinations, Windows []string
			Ports                 []uint16
		},
		) bool {
			return j.Name == h.By
		})
		if i < 0 {
			t.Fatalf("%s: no justification %q", h.Name, h.By)
		}
		j := config.Justifications[i]
		if h.VM != "" && vmNamed(t, s, h.VM).Role != j.Role {
			t.Errorf("%s has not the role %s", h.VM, j.Role)
		}
		if !slices.Contains(j.Ports, h.Port) {
			t.Errorf("%s to port %d is not in %v", h.VM, h.Port, j.Ports)
		}
		if h.Destination.IsValid() && !slices.ContainsFunc(j.Destinations, func(d string) bool {
			p, err := netip.ParsePrefix(d)
			suffix, named := strings.CutPrefix(d, "*")
			return d == "any" || err == nil && p.Contains(h.Destination) || named && strings.HasSuffix(h.Name, suffix) ||
				strings.HasPrefix(d, "category:") // what is in it, the catalogue says
		}) {
			t.Errorf("%s to %s is not in %v", h.VM, h.Destination, j.Destinations)
		}
		for _, w := range j.Windows {
			if h.Run != "" {
				break
			}
			for _, at := range []time.Time{h.First, h.Last} {
				if !inWindow(t, w, at) {
					t.Errorf("%s to %s at %s is outside %q", h.VM, h.Name, at, w)
				}
			}
		}
	}
}

// inWindow reads "mon-sun 22:00-06:00 UTC".
func inWindow(t *testing.T, window string, at time.Time) bool {
	t.Helper()
	var h1, m1, h2, m2 int
	if _, err := fmt.Sscanf(window, "mon-sun %d:%d-%d:%d UTC", &h1, &m1, &h2, &m2); err != nil {
		t.Fatal(err)
	}
	now, from, to := at.Hour()*60+at.Minute(), h1*60+m1, h2*60+m2
	if from < to {
		return now >= from && now < to
	}
	return now >= from || now < to
}

func TestPlay(t *testing.T) {
	server, client := certificates(t)
	plain, secret, datagrams := listenTCP(t, nil), listenTCP(t, server), listenUDP(t)
	tr := site(t, simulator.Options{VMs: 20, LinesPerHour: 20}).Traffic()
	if got := tr.Clock(time.Now()); !got.Equal(tr.Start()) {
		t.Errorf("the clock is at %s before the night", got)
	}
	got, err := tr.Play(t.Context(), simulator.PlayOptions{
		Targets: []string{"udp://" + datagrams.addr, "tcp://" + plain.addr, "tls://" + secret.addr},
		TLS:     client, For: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if now := tr.Clock(time.Now()); now.Before(tr.End()) || now.After(tr.End().Add(time.Hour)) {
		t.Errorf("the clock is at %s after the night", now)
	}
	want := make(map[string][]string)
	networks := make(map[string]string)
	for r := range tr.Records() {
		s := tr.Senders()[r.Sender]
		want[s.Name] = append(want[s.Name], r.Line)
		networks[s.Name] = s.Network
	}
	counts := make(map[string]int)
	for name, c := range got.BySender {
		counts[networks[name]] += int(c.Records)
		if int(c.Records) != len(want[name]) {
			t.Errorf("%s counts %d records, want %d", name, c.Records, len(want[name]))
		}
	}
	arrived := make(map[string][]string)
	for _, line := range slices.Concat(datagrams.take(t, counts["udp"]), plain.wait(t), secret.wait(t)) {
		arrived[senderOf(line)] = append(arrived[senderOf(line)], line)
	}
	for name, lines := range want {
		if networks[name] != "udp" && !slices.Equal(arrived[name], lines) {
			t.Errorf("%s over %s: %d lines arrived, want %d, in order", name, networks[name], len(arrived[name]), len(lines))
		}
		if networks[name] == "udp" {
			counts["arrived"] += len(arrived[name])
			if !inOrder(arrived[name], lines) {
				t.Errorf("%s: what arrived is not what was sent", name)
			}
		}
	}
	if lost := counts["udp"] - counts["arrived"]; lost != datagrams.dropped(t) {
		t.Errorf("%d of %d datagrams did not arrive, but the kernel dropped %d", lost, counts["udp"], datagrams.dropped(t))
	}
}

// inOrder says that part is all with some left out.
func inOrder(part, all []string) bool {
	for _, line := range all {
		if len(part) > 0 && part[0] == line {
			part = part[1:]
		}
	}
	return len(part) == 0
}

func TestClockNeverPassesWhatIsUnsent(t *testing.T) {
	sink := listenTCP(t, nil)
	tr := site(t, simulator.Options{VMs: 20, LinesPerHour: 20}).Traffic()
	wrong := 0
	sink.onFirst = func() {
		if now := tr.Clock(time.Now().Add(time.Hour)); now.After(tr.End()) {
			wrong++
		}
	}
	if _, err := tr.Play(t.Context(), simulator.PlayOptions{Targets: []string{"tcp://" + sink.addr}, For: 200 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if n := len(sink.wait(t)); n != tr.Truth().Records || wrong > 0 {
		t.Errorf("%d lines arrived, want %d; the clock was wrong %d times", n, tr.Truth().Records, wrong)
	}
}

func BenchmarkTraffic(b *testing.B) {
	s, err := simulator.NewSite(simulator.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Traffic()
	}
}
