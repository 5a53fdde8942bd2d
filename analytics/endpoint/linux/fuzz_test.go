package linux_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/analytics/endpoint/linux"
	"github.com/vegress/vegress/event"
)

// hostile are records that try a decoder's bounds.
var hostile = []string{
	strings.Repeat(`{"SYSCALL":`, 40) + "1" + strings.Repeat("}", 40),
	`{"ID":"1.0:1","ID":"2.0:2","SYSCALL":{"pid":1,"pid":-2},"SYSCALL":[[[]]],"SOCKADDR":[{"saddr":"%0"}],"EXECVE":{"ARGV":{"a":1}}}`,
	"type=SYSCALL msg=audit(1.0:1): comm=\x00\xff exe=\"\xc3\x28\x00\" a0= a1 a2==x =y syscall=59 arch=c000003e\x00",
	"type=EXECVE msg=audit(1.0:1): argc=9999999999 a99999=\"x\" a-1=\"y\" a1[=41 a1[0]=4 a1[0]=41 a1[99]=42 a2_len=-1 a0=" + strings.Repeat("41", 9000),
	"type=SOCKADDR msg=audit(1.0:1): saddr=02 saddr=0A00 saddr=0200 saddr=010000 saddr=zz",
	"type=SYSCALL msg=audit(1.0:1): key=" + strings.Repeat("4101", 9000),
	"type=PATH msg=audit(1.0:1): nametype=CREATE name=(null) name=../../../../etc nametype=PARENT",
	"type=AUOMS_EXECVE audit(1.0:1): cmdline=\"a \"b\" c=d\" path_name=[\"a\",[\"b\"]] path_nametype=[ proctitle= redactors=",
	"type=AUOMS_SYSCALL audit(1.0:1): path_name=" + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
	"type=USER_CMD msg=audit(1.0:1): msg='cmd=2F cwd=\" res=x'",
	"type=SYSCALL msg=audit(253402300799.999999999:18446744073709551616): x=#035#035y=#035",
	`{"message":"type=EOE msg=audit(1.0:1):","message":{}}`,
	`{"SyslogMessage":"<Event><System><EventID>1</EventID></System><EventData><Data Name=\"ProcessId\">-1</Data><Data Name='UtcTime'>9999-99-99</Data>"}`,
	"<Event><EventData><Data Name=\"a\">&#0;&quot \xff\x00</Data></EventData></Event>",
	"<Event ></Event>", "<Event><!--", "x <Event><![CDATA[",
}

// FuzzDecode gives any lines to the decoders: none panics, each event has a
// text that JSON takes, and all records come out again, each once, whatever
// else is waiting.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/*.log")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		for _, line := range testLines(f, file) {
			f.Add(line)
		}
		f.Add(strings.Join(testLines(f, file), "\n"))
	}
	for _, line := range hostile {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		audit := linux.NewAudit()
		for _, d := range []endpoint.Decoder{audit, linux.NewSysmon()} {
			taken, told := 0, 0
			tell := func(ev *event.Event) {
				told += ev.Records
				if len(ev.Raw) > len(text) || len(ev.Fields) > endpoint.MaxFields+argumentsAndOwn {
					t.Errorf("%d bytes, %d fields", len(ev.Raw), len(ev.Fields))
				}
				if _, err := event.Parse(ev.AppendJSON(nil)); err != nil {
					t.Errorf("%v", err)
				}
			}
			for line := range strings.SplitSeq(text, "\n") {
				before := told
				switch err := d.Decode(endpoint.Record{Text: line}, tell); {
				case err == nil:
					taken++
				case told != before:
					t.Errorf("told of %q, and %v", line, err)
				}
			}
			d.Rest(time.Time{}, tell)
			if d == endpoint.Decoder(audit) {
				told += int(audit.Stats().Ends)
			}
			if told != taken {
				t.Errorf("%d records of %d", told, taken)
			}
		}
	})
}

// TestLong: records as long as they may be, of values without end, are read in
// one go; what looked at the rest of the record for each value would take
// minutes here.
func TestLong(t *testing.T) {
	for _, unit := range []string{"k=#035", `a="b `, `a="b"c `, "a=[ ", "proctitle=x ", "= ", `"`, "key=4101 "} {
		for _, kind := range []string{"EXECVE", "AUOMS_EXECVE", "PATH"} {
			text := "type=" + kind + " msg=audit(1.0:1): "
			text += strings.Repeat(unit, (endpoint.MaxRecord-len(text))/len(unit))
			d, told := linux.NewAudit(), 0
			tell := func(*event.Event) { told++ }
			if err := d.Decode(endpoint.Record{Text: text}, tell); err != nil {
				t.Errorf("%s %s: %v", kind, unit, err)
			}
			if d.Rest(time.Time{}, tell); told != 1 {
				t.Errorf("%s %s: told %d times", kind, unit, told)
			}
		}
	}
}

// argumentsAndOwn: those of the record in which the bound is reached, and what
// the decoder itself adds.
const argumentsAndOwn = 8

// TestEndless: serials without end hold no more than they may, and take no
// longer for it.
func TestEndless(t *testing.T) {
	s := newSaid(t)
	for serial := range 20_000 {
		s.record(0, time.Time{}, "SYSCALL", serial, "")
	}
	if got := s.d.Stats(); got.Waiting != 128 || got.Incomplete != 20_000-128 || len(s.list) != 20_000-128 {
		t.Errorf("%+v, %d told", got, len(s.list))
	}
}
