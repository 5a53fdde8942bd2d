package app

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/simulator"
)

// TestReplayOfFlows replays the simulated night as a packet capture of flows,
// with the inventory of its vCenter: the stories that flows tell of are found,
// each record becomes one event of its exporter's host, and the VM is known by
// what the exporter tells.
func TestReplayOfFlows(t *testing.T) {
	t.Parallel()
	estate, _ := openEstate(t)
	dir := t.TempDir()
	known, capture := filepath.Join(dir, "inventory.json"), filepath.Join(dir, "flows.pcap")
	if got := command(t, "inventory", "export", "--vcenter", estate.URL(), "--username", estate.Username(),
		"--password-file", write(t, "password", estate.Password()), "--ca-file", estate.CAFile(), "-o", known); got.code != exitOK {
		t.Fatalf("exit code %d: %s", got.code, got.err)
	}
	flows := estate.Site.Traffic().Flows(simulator.FlowOptions{LateTemplates: time.Minute})
	file, err := os.Create(capture)
	if err != nil {
		t.Fatal(err)
	}
	if err := flows.WriteCapture(file, netip.MustParseAddr("10.0.0.5")); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	config := write(t, "vegress.yaml", estate.Site.Config())
	got := command(t, "replay", "--source", "ipfix", "--config", config, "--inventory", known, capture)
	if again := command(t, "replay", "--source", "ipfix", "--config", config, "--inventory", known, capture); got.code != exitOK || again.out != got.out {
		t.Fatalf("exit code %d (%s), or a second replay gives other bytes", got.code, got.err)
	}
	truth := flows.Truth()
	events, via := 0, map[event.Via]int{}
	findings := readReplay(t, got.out, func(ev *event.Event) {
		events++
		via[ev.Src.Context.Via]++
		via[ev.Dst.Context.Via]++
	})
	if events != truth.Records-truth.Duplicates {
		t.Errorf("%d events, want %d less %d", events, truth.Records, truth.Duplicates)
	}
	if via[event.ViaNSXUUID] == 0 || via[event.ViaMAC] == 0 || via[event.ViaDVPort] == 0 || via[event.ViaIP] == 0 {
		t.Errorf("resolved by %v", via)
	}
	checkFlowStories(t, truth.Stories, findings)
}

// checkFlowStories compares findings with the stories: what each sent, to the
// byte.
func checkFlowStories(t *testing.T, stories []simulator.Story, findings map[string]*event.Finding) {
	t.Helper()
	if len(stories) < 3 {
		t.Fatalf("%d stories", len(stories))
	}
	for _, s := range stories {
		var found *event.Finding
		for _, f := range findings {
			if f.Analytic.UID == s.Analytic && strings.HasSuffix(f.Entity, s.InstanceUUID) && f.Dst.IP == s.Destination {
				found = f
			}
		}
		switch {
		case found == nil:
			t.Errorf("%s: not found", s.ID)
		case found.BytesOut != s.BytesOut || found.Count != int64(s.Records) || found.Device.Host == nil && found.Device.IP != hostOf(s.Host):
			t.Errorf("%s: %d events and %d bytes, want %d and %d, by %+v", s.ID, found.Count, found.BytesOut, s.Records, s.BytesOut, found.Device)
		}
	}
}

// hostOf is the address of a host of the default site.
func hostOf(name string) netip.Addr {
	site, err := simulator.NewSite(simulator.Options{})
	if err != nil {
		return netip.Addr{}
	}
	for _, h := range site.Hosts {
		if h.Name == name {
			return h.Address
		}
	}
	return netip.Addr{}
}

// TestReplayOfRealPackets: data, then its templates, as they were captured.
func TestReplayOfRealPackets(t *testing.T) {
	dir := os.Getenv("VEGRESS_CORPUS")
	if dir == "" {
		t.Skip("VEGRESS_CORPUS names no folder of real packets")
	}
	args := []string{"replay", "--source", "ipfix"}
	for _, name := range []string{"vds_data264.dat", "vds_data266.dat", "vds_tpl.dat"} {
		args = append(args, filepath.Join(dir, "ipfix", name))
	}
	got := command(t, args...)
	if got.code != exitOK || len(objects(t, got.out)) != 2 || !strings.Contains(got.err, "1 flows were reported twice") {
		t.Errorf("exit code %d: %s%s", got.code, got.out, got.err)
	}
}

// TestFlowAccount: flows over UDP, beside syslog, some lost and some reported
// twice, some without a template, and datagrams that are none: the account adds
// up at every scrape, and at the end it is the truth.
func TestFlowAccount(t *testing.T) {
	t.Parallel()
	s := startWith(t, Options{
		Config: testConfig(t, "", map[string]any{"listen.ipfix": []string{"udp://127.0.0.1:0"}, "max_skew": "24h"}),
		Clock:  func(wall time.Time) time.Time { return nightOf.Add(time.Since(testBegan)) },
	})
	site, err := simulator.NewSite(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	flows := site.Traffic().Flows(simulator.FlowOptions{LateTemplates: time.Minute, LoseMessages: 50})
	played := make(chan error, 1)
	go func() {
		_, err := flows.Play(t.Context(), s.flowListeners()[0], 3000)
		played <- err
	}()
	last := account{}
	for playing := true; playing; {
		last = checkScrapes(t, s, last)
		select {
		case err := <-played:
			if err != nil {
				t.Fatal(err)
			}
			playing = false
		default:
		}
	}
	truth := flows.Truth()
	a := s.settled(int64(truth.Records))
	if a.Received != int64(truth.Records) || a.Deduplicated != int64(truth.Duplicates) || a.Forwarded != int64(truth.Records-truth.Duplicates) {
		t.Errorf("%+v; want %+v", a, truth)
	}
	checkScrapes(t, s, a)
	m := scrapeMetrics(t, s)
	lost := m["vegress_ipfix_lost_records_total"]
	if lost == 0 || lost > int64(truth.LostRecords) || m["vegress_ipfix_templates"] == 0 || m["vegress_ipfix_duplicates_total"] != int64(truth.Duplicates) {
		t.Errorf("%d records lost, want up to %d; %d templates, %d duplicates", lost, truth.LostRecords,
			m["vegress_ipfix_templates"], m["vegress_ipfix_duplicates_total"])
	}
	for name := range m {
		if strings.Contains(name, "127.0.0.1") || strings.Contains(name, "exporter=") {
			t.Errorf("a label that the network chooses: %s", name)
		}
	}
	noise(t, s)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if a := s.account(); a.InFlight != 0 || a.Dropped["no_template"] != 1 || a.Dropped["malformed"] != 1 {
		t.Errorf("after the stop: %+v", a)
	}
}

var (
	testBegan = time.Now()
	nightOf   = time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)
)

// noise sends what is no message, and data without a template.
func noise(t *testing.T, s *service) {
	t.Helper()
	before := s.account().Dropped["malformed"]
	conn := dialUDP(t, s.flowListeners()[0])
	for _, text := range []string{
		"<14>a line\x00\r\n",
		"\x00\x0a\x00\x1c\x69\xa6\x00\x00\x00\x00\x00\x00\x00\x00\x00\x09\x01\x00\x00\x0c12345678",
	} {
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	s.eventually("both counted", func() bool {
		return s.account().Dropped["malformed"] == before+1 && s.flows.stats().Held == 1
	})
}

func dialUDP(t *testing.T, listener string) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", strings.TrimPrefix(listener, "udp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}
