package linux_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/linux"
	"github.com/vegress/vegress/event"
)

// said is what a decoder told: of each event its records, as the serial and
// the first letters of their types, and why it is not whole.
type said struct {
	t    *testing.T
	d    *linux.Audit
	list []string
}

func (s *said) tell(ev *event.Event) {
	var b strings.Builder
	for line := range strings.SplitSeq(ev.Raw, "\n") {
		_, kind, _ := strings.Cut(line, "type=")
		kind, _, _ = strings.Cut(kind, " ")
		_, serial, _ := strings.Cut(line, ".000:")
		serial, _, _ = strings.Cut(serial, ")")
		fmt.Fprintf(&b, "%s:%s ", serial, kind)
	}
	if f, ok := ev.Field(event.Intern("audit_incomplete")); ok {
		b.WriteString("cut by " + f.Value)
	}
	if want := strings.Count(ev.Raw, "\n") + 1; ev.Records != want {
		s.t.Errorf("%d records, want %d", ev.Records, want)
	}
	s.list = append(s.list, strings.TrimSpace(b.String()))
}

// record decodes "TYPE serial", at second of the clock.
func (s *said) record(second int, received time.Time, kind string, serial int, body string) {
	s.t.Helper()
	text := fmt.Sprintf("type=%s msg=audit(%d.000:%d): %s", kind, 1795600000+second, serial, body)
	if err := s.d.Decode(endpoint.Record{Text: text, Received: received}, s.tell); err != nil {
		s.t.Error(err)
	}
}

func (s *said) want(list ...string) {
	s.t.Helper()
	if !slices.Equal(s.list, list) {
		s.t.Errorf("got  %q\nwant %q", s.list, list)
	}
	s.list = nil
}

func newSaid(t *testing.T) *said { return &said{t: t, d: linux.NewAudit()} }

func TestJoin(t *testing.T) {
	var file time.Time // no receipt
	t.Run("records of two events in turn", func(t *testing.T) {
		s := newSaid(t)
		for _, r := range []struct {
			kind   string
			serial int
		}{{"SYSCALL", 1}, {"SYSCALL", 2}, {"PATH", 1}, {"PATH", 2}, {"PROCTITLE", 2}, {"EOE", 2}, {"EOE", 1}} {
			s.record(0, file, r.kind, r.serial, "a=b")
		}
		s.want("2:SYSCALL 2:PATH 2:PROCTITLE", "1:SYSCALL 1:PATH 1:EOE")
		if got := s.d.Stats(); got != (linux.AuditStats{Ends: 1}) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a record of a program waits for nothing, and joins what waits", func(t *testing.T) {
		s := newSaid(t)
		s.record(0, file, "SYSCALL", 1, "")
		s.record(0, file, "USER_LOGIN", 2, "")
		s.record(0, file, "USER_AVC", 1, "")
		s.record(0, file, "EOE", 1, "")
		s.want("2:USER_LOGIN", "1:SYSCALL 1:USER_AVC 1:EOE")
	})
	t.Run("age in a file", func(t *testing.T) {
		s := newSaid(t)
		s.record(0, file, "SYSCALL", 1, "")
		s.record(2, file, "SYSCALL", 2, "")
		s.want()
		s.record(3, file, "PATH", 3, "")
		s.want("1:SYSCALL cut by age")
		s.d.Rest(time.Time{}, s.tell)
		s.want("2:SYSCALL cut by end", "3:PATH cut by end")
	})
	t.Run("age by receipt", func(t *testing.T) {
		s, now := newSaid(t), time.Unix(1795600000, 0)
		s.record(900, now, "SYSCALL", 1, "")
		s.record(0, now.Add(time.Second), "SYSCALL", 2, "")
		s.record(0, now.Add(3*time.Second), "SYSCALL", 3, "")
		s.want("1:SYSCALL cut by age")
		s.d.Rest(now.Add(2*time.Second), s.tell)
		s.want("2:SYSCALL cut by end")
	})
	t.Run("several nodes", func(t *testing.T) {
		s := newSaid(t)
		for _, node := range []string{"a", "b", "a", "b"} {
			kind := "SYSCALL"
			if len(s.list) > 0 || s.d.Stats().Waiting == 2 {
				kind = "EOE"
			}
			text := "node=" + node + " type=" + kind + " msg=audit(1795600000.000:7): x=y"
			if err := s.d.Decode(endpoint.Record{Text: text}, s.tell); err != nil {
				t.Fatal(err)
			}
		}
		s.want("7:SYSCALL 7:EOE", "7:SYSCALL 7:EOE")
	})
	t.Run("number", func(t *testing.T) {
		s := newSaid(t)
		for serial := range 130 {
			s.record(0, file, "SYSCALL", serial, "")
		}
		s.want("0:SYSCALL cut by number", "1:SYSCALL cut by number")
		s.record(0, file, "EOE", 129, "")
		s.want("129:SYSCALL 129:EOE")
		if got := s.d.Stats(); got.Incomplete != 2 || got.Waiting != 127 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("records of one event", func(t *testing.T) {
		s := newSaid(t)
		for range 513 {
			s.record(0, file, "PATH", 1, "")
		}
		s.d.Rest(time.Time{}, s.tell)
		if len(s.list) != 2 || !strings.HasSuffix(s.list[0], "cut by size") || s.list[1] != "1:PATH cut by end" {
			t.Errorf("%d events", len(s.list))
		}
	})
	t.Run("bytes", func(t *testing.T) {
		s := newSaid(t)
		body := strings.Repeat("x", 400_000)
		for serial := range 3 {
			s.record(0, file, "PATH", serial, body)
		}
		s.want("0:PATH cut by size")
		s.record(0, file, "PATH", 2, body) // more of what waits
		s.want("1:PATH cut by size")
		s.d.Rest(time.Time{}, s.tell)
		s.want("2:PATH 2:PATH cut by end")
		if got := s.d.Stats(); got.Waiting != 0 || got.Incomplete != 3 {
			t.Errorf("%+v", got)
		}
	})
}

// TestHeld: what waits for the rest of its event does not change when the
// memory of the line is used again.
func TestHeld(t *testing.T) {
	var raw, host string
	tell := func(ev *event.Event) { raw, host = ev.Raw, ev.Device.Hostname }
	d := linux.NewAudit()
	const first, last = `type=SYSCALL msg=audit(1795600000.000:1): comm="sh" key=(null)`, `type=PROCTITLE msg=audit(1795600000.000:1): proctitle="sh"`
	memory := []byte(first + "web1")
	line := unsafe.String(unsafe.SliceData(memory), len(memory))
	if err := d.Decode(endpoint.Record{Text: line[:len(first)], Host: line[len(first):]}, tell); err != nil {
		t.Fatal(err)
	}
	clear(memory)
	if err := d.Decode(endpoint.Record{Text: last, Host: "web1"}, tell); err != nil {
		t.Fatal(err)
	}
	if raw != first+"\n"+last || host != "web1" {
		t.Errorf("got %q of %s", raw, host)
	}
}

func TestAuditRefuses(t *testing.T) {
	for _, text := range []string{
		"", "plain", "type=SYSCALL", "type=SYSCALL msg=audit(): x", "type=SYSCALL msg=audit(1.1): x", "type=SYSCALL msg=audit(x:1): y",
		"type=SYSCALL msg=audit(1.1:x): y", "type= msg=audit(1.1:1):", "subtype=A msg=audit(1.1:1):", "msg=audit(1.1:1): type=SYSCALL",
		"type=A b msg=audit(1.1:1):", "{", "[]", `{"message":"plain"}`, `{"ID":"x","SYSCALL":{}}`, `{"a":1}`,
		"type=A msg=audit(99999999999999999999.1:1):", "type=A msg=audit(" + strings.Repeat("1", 100) + ":1):",
		strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), "type=A msg=audit(1.1:1): " + strings.Repeat("x", endpoint.MaxRecord),
	} {
		d := linux.NewAudit()
		if err := d.Decode(endpoint.Record{Text: text}, func(*event.Event) { t.Errorf("%.40q: told", text) }); err == nil {
			t.Errorf("%.40q: no error", text)
		} else if text != "" && len(text) > 12 && strings.Contains(err.Error(), text[:12]) {
			t.Errorf("%.40q: the error holds it: %v", text, err)
		}
	}
}

// TestOutcome: the system call's outcome counts before that of a record beside
// it.
func TestOutcome(t *testing.T) {
	d, got := linux.NewAudit(), event.StatusUnknown
	for _, text := range []string{
		"type=CONFIG_CHANGE msg=audit(1.0:1): op=add_rule res=1",
		"type=SYSCALL msg=audit(1.0:1): arch=c000003e syscall=44 success=no exit=-1 pid=7",
		"type=PROCTITLE msg=audit(1.0:1): proctitle=\"auditctl\"",
	} {
		if err := d.Decode(endpoint.Record{Text: text}, func(ev *event.Event) { got = ev.Status }); err != nil {
			t.Fatal(err)
		}
	}
	if got != event.StatusFailure {
		t.Errorf("status %d", got)
	}
}
