package ipfix_test

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/event/eventtest"
	"github.com/vegress/vegress/vsphere/ipfix"
)

// corpus is the folder of real packets.
func corpus(t testing.TB) string {
	dir := os.Getenv("VEGRESS_CORPUS")
	if dir == "" {
		t.Skip("VEGRESS_CORPUS names no folder of real packets")
	}
	return filepath.Join(dir, "ipfix")
}

func packet(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(corpus(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// exporter is who sends, in tests.
var exporter = netip.MustParseAddrPort("192.0.2.11:49152")

// decoded runs messages through a Decoder and gives the events.
func decoded(d *ipfix.Decoder, received time.Time, messages ...string) []event.Event {
	var all []event.Event
	for _, m := range messages {
		d.Decode(ipfix.Message{Data: m, Peer: exporter, Received: received}, func(r *ipfix.Record) {
			var ev event.Event
			r.Fill(&ev)
			all = append(all, ev)
		})
	}
	return all
}

// TestCorpusTemplates: every template of the real switch is understood.
func TestCorpusTemplates(t *testing.T) {
	d := ipfix.New(ipfix.Options{Replay: true})
	decoded(d, time.Time{}, packet(t, "vds_tpl.dat"))
	if st := d.Stats(); st.Templates != 13 || st.Refused != 0 || sum(st.Malformed) != 0 {
		t.Errorf("%+v; want 13 templates", st)
	}
}

// TestCorpusRecords compares each record with what is known of it. Data comes
// before its template, as it was captured.
func TestCorpusRecords(t *testing.T) {
	valid := eventtest.New(t)
	want := records(t)
	for _, names := range [][]string{
		{"vds_data264.dat", "vds_data266.dat", "vds_tpl.dat"},
		{"vds_tpl.dat", "vds_data264.dat", "vds_data266.dat"},
	} {
		d := ipfix.New(ipfix.Options{Replay: true})
		var messages []string
		for _, name := range names {
			messages = append(messages, packet(t, name))
		}
		got := decoded(d, time.Time{}, messages...)
		st := d.Stats()
		if st.Deduplicated != 1 || st.Held != 0 || st.Received != int64(len(got))+1 || st.Dropped != (ipfix.Dropped{}) {
			t.Errorf("%v: %+v", names, st)
		}
		for i := range got {
			checkRecord(t, &got[i], want)
			if err := valid.Validate(got[i].AppendJSON(nil)); err != nil {
				t.Errorf("%v\n%s", err, got[i].AppendJSON(nil))
			}
		}
		if len(got) != 2 {
			t.Errorf("%v: %d events, want 2", names, len(got))
		}
	}
}

// records reads the list of decoded records, by addresses and ports.
func records(t *testing.T) map[string]map[string]string {
	file, err := os.Open(filepath.Join(corpus(t), "RECORDS.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := map[string]map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		one := map[string]string{}
		for _, pair := range strings.Fields(lines.Text()) {
			if name, value, ok := strings.Cut(pair, "="); ok {
				one[name] = value
			}
		}
		key := one["sourceIPv4Address"] + one["sourceIPv6Address"] + " " + one["destinationIPv4Address"] + one["destinationIPv6Address"]
		if all[key] == nil { // of two reports, the first is kept
			all[key] = one
		}
	}
	return all
}

func checkRecord(t *testing.T, ev *event.Event, want map[string]map[string]string) {
	t.Helper()
	r := want[ev.Src.IP.String()+" "+ev.Dst.IP.String()]
	if r == nil {
		t.Fatalf("no such record: %s", ev.AppendJSON(nil))
	}
	field := func(name string) string {
		f, _ := ev.Field(event.Intern(name))
		return f.Value
	}
	got := map[string]string{
		"sourceTransportPort":      fmt.Sprint(ev.Src.Port),
		"destinationTransportPort": fmt.Sprint(ev.Dst.Port),
		"octetDeltaCount":          fmt.Sprint(ev.Traffic.BytesOut),
		"packetDeltaCount":         fmt.Sprint(ev.Traffic.PacketsOut),
		"flowStartMilliseconds":    fmt.Sprint(ev.Start.UnixMilli()),
		"flowEndMilliseconds":      fmt.Sprint(ev.End.UnixMilli()),
		"protocolIdentifier":       fmt.Sprint(ev.Protocol),
		"tcpControlBits":           fmt.Sprint(ev.TCPFlags),
		"maximumTTL":               field("ttl"),
		"ingressInterface":         field("ingress_interface"),
		"egressInterface":          ev.Dst.SwitchPort,
		"flowEndReason":            map[string]string{"idle_timeout": "1"}[field("flow_end_reason")],
		"flowDirection":            map[string]string{"egress": "1"}[field("flow_direction")],
	}
	for name, value := range got {
		if r[name] != value {
			t.Errorf("%s: %s, want %s", name, value, r[name])
		}
	}
	if ev.Class != event.NetworkActivity || ev.Activity != event.NetworkTraffic || ev.Device.IP != exporter.Addr() {
		t.Errorf("class %d, activity %d, device %v", ev.Class, ev.Activity, ev.Device)
	}
	if !ev.Traffic.Known || ev.Records != 1 || !ev.Time.Equal(ev.End) || len(ev.Raw) < 60 {
		t.Errorf("%+v", ev)
	}
	if !strings.Contains(string(ev.AppendJSON(nil)), `"raw_encoding":"base64"`) {
		t.Errorf("not in base64: %s", ev.AppendJSON(nil))
	}
}

func sum(all map[string]int64) (n int64) {
	for _, one := range all {
		n += one
	}
	return n
}
