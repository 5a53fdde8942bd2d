package event_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/event/eventtest"
)

func ExampleParseFinding() {
	f := finding()
	line := f.AppendJSON(nil) // a message under vegress.findings.>

	back, err := event.ParseFinding(line)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(back.Severity, back.Src.Context.VM.Name, "->", back.Key, "because", back.Justification.Reason)
	// Output: high app-web-01 -> pastebin because window
}

func ExampleParse() {
	written := firewallEvent()
	ev, err := event.Parse(written.AppendJSON(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ev.Class.Name(), ev.Src.Context.VM.Name, "->", ev.Dst.IP, ev.Dst.Port)
	// Output: network_activity app-web-01 -> 203.0.113.10 443
}

var equal = cmp.Options{cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()}

// fullEvent says all that an event can say, and can be read back whole.
func fullEvent(class event.Class) event.Event {
	return event.Event{
		Class: class, Activity: 99, Severity: event.SeverityLow, Status: event.StatusFailure,
		Time: when, OriginalTime: "NoneZ", UID: "c-1-2-0", LogName: "vpxd", Message: "text", Raw: "raw \xff", Records: 2,
		Device: event.Device{Hostname: "vc1", IP: netip.MustParseAddr("10.0.0.2")},
		Src: event.Endpoint{
			IP: netip.MustParseAddr("2001:db8::1"), Port: 1, Hostname: "a", MAC: "00:50:56:aa:bb:cc", VIF: "deadbeef",
			Switch: "50 1a", SwitchPort: "7", World: "2100", VMName: "web", VMUUID: "5012",
			Context: event.Context{VM: &event.VM{Name: "web", Roles: []string{"proxy"}}, Via: event.ViaMAC, State: event.StateStale},
		},
		Dst: event.Endpoint{
			IP: netip.MustParseAddr("203.0.113.1"), Port: 443, Hostname: "paste.example", MAC: "odd",
			Service: "pastebin", Category: "paste", NameVia: "dns", NameAge: 61,
			Context: event.Context{Host: &event.Host{Name: "esx01", IsVCenter: true}, Via: event.ViaIP, State: event.StateLive},
		},
		Direction: event.DirectionOutbound, Protocol: 6, TCPFlags: 0x12,
		Traffic: event.Traffic{BytesIn: 1, BytesOut: 2, PacketsIn: 3, PacketsOut: 4, Known: true},
		Start:   when.Add(-time.Minute), End: when, URL: "https://paste.example/x?y=1",
		HTTP: event.HTTP{Method: "GET", Version: "1.1", Status: 200, UserAgent: "curl"},
		DNS:  event.DNS{Query: "paste.example", Type: "A", RCode: "NOERROR", Answers: []netip.Addr{netip.MustParseAddr("203.0.113.1")}},
		User: event.User{Name: "root", Domain: "corp", UID: "0"}, Session: "52ab", Service: "vim",
		Operation: "VmPoweredOnEvent", Resource: "web",
		Process: event.Process{Name: "sh", Path: "/bin/sh", CmdLine: "sh -c x", PID: 7, UID: "p7", Parent: &event.Process{
			PID: 6, Parent: &event.Process{Name: "init", Parent: &event.Process{PID: 1}},
		}},
		File: event.File{Name: "x", Path: "/tmp/x"},
		Justification: event.Justification{
			Verdict: event.VerdictJustified, Reason: event.ReasonBytes, By: "backup", From: when, To: when.Add(time.Hour),
			Evidence: []string{"c-1-1-0"},
		},
		Fields: []event.Field{
			{ID: event.Intern("rule_id"), Kind: event.KindNumber, Value: "12"},
			{ID: event.Intern("user"), Value: "joe"},
			{ID: event.Intern("api_2"), Kind: event.KindBool, Value: "true"},
			{ID: event.Intern("records"), Kind: event.KindNull},
		},
	}
}

// TestParse: of every class, all that an event says comes back.
func TestParse(t *testing.T) {
	schemas := eventtest.New(t)
	for _, class := range classes[:9] {
		t.Run(class.Name(), func(t *testing.T) {
			want := fullEvent(class)
			checkEvent(t, schemas, &want)
			got, err := event.Parse(want.AppendJSON(nil))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, want, equal); diff != "" {
				t.Errorf("got(-) want(+):\n%s\n%s", diff, want.AppendJSON(nil))
			}
		})
	}
}

// TestParseUnknown: what the encoder supplied is not read as if the record
// had said it.
func TestParseUnknown(t *testing.T) {
	tests := []event.Event{
		{Class: event.APIActivity, Operation: "x", Records: 1},
		{Class: event.ProcessActivity, UID: "u", Process: event.Process{CmdLine: "wget"}, Records: 1},
		{Class: event.Authentication, Service: "sshd", Records: 1},
		{Class: event.Authentication, Service: "sshd", User: event.User{Domain: "corp"}, Records: 1},
		{Class: event.FileActivity, File: event.File{Name: "x"}, Records: 1},
	}
	for _, want := range tests {
		got, err := event.Parse(want.AppendJSON(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, want, equal); diff != "" {
			t.Errorf("got(-) want(+):\n%s", diff)
		}
	}
}

func TestParseFinding(t *testing.T) {
	schemas := eventtest.New(t)
	want := finding()
	checkFinding(t, schemas, &want)
	got, err := event.ParseFinding(want.AppendJSON(nil))
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Evidence { // its contexts are not written
		want.Evidence[i].Src.Context, want.Evidence[i].Dst.Context = event.Context{}, event.Context{}
	}
	if diff := cmp.Diff(got, want, equal); diff != "" {
		t.Errorf("got(-) want(+):\n%s", diff)
	}
}

func TestFindingBounds(t *testing.T) {
	f := finding()
	f.Evidence = make([]event.Evidence, event.MaxEvidence+5)
	f.Related = make([]string, event.MaxRelated+5)
	back, err := event.ParseFinding(f.AppendJSON(nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Evidence) != event.MaxEvidence || len(back.Related) != event.MaxRelated {
		t.Errorf("%d records and %d uids were written", len(back.Evidence), len(back.Related))
	}
}

func TestFindingStateWithoutVM(t *testing.T) {
	f := finding()
	f.Src.Context = event.Context{State: event.StateNever, Age: 3 * time.Second}
	line := f.AppendJSON(nil)
	if got := at(t, line, "enrichments.0.data.state"); got != "never" {
		t.Errorf("state = %v, want never: %s", got, line)
	}
	back, err := event.ParseFinding(line)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(back.Src.Context, f.Src.Context, equal); diff != "" {
		t.Errorf("got(-) want(+):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	for _, in := range []string{
		``, `[]`, `{`, `{"class_uid":2004}`, `{"class_uid":77777}`, `{"class_uid":42}`, `{"src_endpoint":{"ip":"x"}}`,
		`{"raw_data":"?","unmapped":{"raw_encoding":"base64"}}`, `{"unmapped":{"records":"x"}}`, `{"src_endpoint":{"port":65536}}`,
	} {
		if _, err := event.Parse([]byte(in)); err == nil {
			t.Errorf("Parse(%s) gives no error", in)
		}
	}
	for _, in := range []string{
		``, `{}`, `{"class_uid":4001}`, `{"class_uid":2004,"evidences":[{"data":{"raw_data":"?","raw_encoding":"base64"}}]}`,
		`{"class_uid":2004,"evidences":[{"data":{"src_endpoint":1}}]}`,
	} {
		if _, err := event.ParseFinding([]byte(in)); err == nil {
			t.Errorf("ParseFinding(%s) gives no error", in)
		}
	}
}

// FuzzEvent: whatever an event holds, its JSON is valid under the schema of
// its class, on one line, and reads back to an event of the same JSON.
func FuzzEvent(f *testing.F) {
	for seed := range uint64(300) {
		f.Add(seed, "", "")
	}
	schemas := eventtest.New(f)
	f.Fuzz(func(t *testing.T, seed uint64, a, b string) {
		ev := newMaker(seed, a, b, a, b).event()
		checkEvent(t, schemas, &ev)
	})
}

// FuzzFinding is FuzzEvent for findings.
func FuzzFinding(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(seed, "", "")
	}
	schemas := eventtest.New(f)
	f.Fuzz(func(t *testing.T, seed uint64, a, b string) {
		fi := newMaker(seed, a, b, a, b).finding()
		checkFinding(t, schemas, &fi)
	})
}

// FuzzParse: no input makes the decoders panic, and what they accept can be
// written again as valid JSON.
func FuzzParse(f *testing.F) {
	for seed := range uint64(20) {
		m := newMaker(seed)
		ev, fi := m.event(), m.finding()
		f.Add(ev.AppendJSON(nil))
		f.Add(fi.AppendJSON(nil))
	}
	f.Add([]byte(`{"unmapped":{"user":{"name":"a"},"Records":1,"x":[[1],{"y":2},null]},"enrichments":[{"type":"vm","data":{"candidates":[null]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if ev, err := event.Parse(data); err == nil {
			if line := ev.AppendJSON(nil); !json.Valid(line) {
				t.Errorf("not JSON: %s", line)
			}
		}
		if fi, err := event.ParseFinding(data); err == nil {
			if line := fi.AppendJSON(nil); !json.Valid(line) {
				t.Errorf("not JSON: %s", line)
			}
		}
	})
}

func checkEvent(t *testing.T, schemas *eventtest.Validator, ev *event.Event) {
	t.Helper()
	line := ev.AppendJSON(nil)
	checkLine(t, schemas, line)
	back, err := event.Parse(line)
	if err != nil {
		t.Fatalf("%v\n%s", err, line)
	}
	if again := back.AppendJSON(nil); !bytes.Equal(again, line) {
		t.Fatalf("does not read back:\n%s\n%s", line, again)
	}
}

func checkFinding(t *testing.T, schemas *eventtest.Validator, f *event.Finding) {
	t.Helper()
	line := f.AppendJSON(nil)
	checkLine(t, schemas, line)
	back, err := event.ParseFinding(line)
	if err != nil {
		t.Fatalf("%v\n%s", err, line)
	}
	if again := back.AppendJSON(nil); !bytes.Equal(again, line) {
		t.Fatalf("does not read back:\n%s\n%s", line, again)
	}
}

func checkLine(t *testing.T, schemas *eventtest.Validator, line []byte) {
	t.Helper()
	if !json.Valid(line) || bytes.IndexByte(line, '\n') >= 0 {
		t.Fatalf("not one line of JSON: %s", line)
	}
	if err := uniqueKeys(json.NewDecoder(bytes.NewReader(line))); err != nil {
		t.Fatalf("%v\n%s", err, line)
	}
	if err := schemas.Validate(line); err != nil {
		t.Fatalf("%v\n%s", err, line)
	}
}

func BenchmarkParse(b *testing.B) {
	ev := firewallEvent()
	flowFields(&ev)
	line := ev.AppendJSON(nil)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.Parse(line); err != nil {
			b.Fatal(err)
		}
	}
}
