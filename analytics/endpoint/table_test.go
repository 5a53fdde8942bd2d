package endpoint_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

const (
	curl = `C:\Windows\System32\curl.exe`
	cmd  = `C:\Windows\System32\cmd.exe`
)

// launch is a process creation on host ws.
func launch(seconds int, p event.Process) *event.Event {
	return &event.Event{
		Class: event.ProcessActivity, Activity: event.ProcessLaunch, Time: at(seconds), Device: event.Device{Hostname: "ws"},
		User: event.User{Domain: "CORP", Name: "joe"}, Process: p,
	}
}

func terminate(seconds int, p event.Process) *event.Event {
	ev := launch(seconds, p)
	ev.Activity = event.ProcessTerminate
	return ev
}

// connect is a connection of a process on host ws.
func connect(seconds int, p event.Process) *event.Event {
	return &event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkOpen, Time: at(seconds), Device: event.Device{Hostname: "ws"},
		Dst: event.Endpoint{IP: netip.MustParseAddr("203.0.113.7"), Port: 443}, Process: p,
	}
}

// show is what an event says of its process.
func show(ev *event.Event) string {
	p := &ev.Process
	s := fmt.Sprintf("%s %s %d %q by %s", p.UID, p.Path, p.PID, p.CmdLine, ev.User.Name)
	if p.Parent != nil {
		s += fmt.Sprintf(" of %s %s %d %q", p.Parent.UID, p.Parent.Path, p.Parent.PID, p.Parent.CmdLine)
	}
	for _, f := range ev.Fields {
		s += " " + f.ID.Name() + "=" + f.Value
	}
	return s
}

func expect(t *testing.T, table *endpoint.Table, ev *event.Event, want string) {
	t.Helper()
	table.Annotate(ev)
	if got := show(ev); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func ran(uid, path, cmdLine string, pid int64) event.Process {
	return event.Process{UID: uid, Path: path, CmdLine: cmdLine, PID: pid}
}

func TestAnnotate(t *testing.T) {
	table := endpoint.NewTable(endpoint.TableOptions{})
	p := ran("g1", curl, "curl x", 100)
	parent := ran("g0", cmd, "cmd /c", 90)
	p.Parent = &parent
	expect(t, table, launch(0, p), `g1 `+curl+` 100 "curl x" by joe of g0 `+cmd+` 90 "cmd /c"`)

	whole := `g1 ` + curl + ` 100 "curl x" by joe of g0 ` + cmd + ` 90 "cmd /c"`
	expect(t, table, connect(5, event.Process{UID: "g1"}), whole)
	expect(t, table, connect(5, event.Process{PID: 100}), whole)
	expect(t, table, connect(-600, event.Process{UID: "g1"}), whole)
	expect(t, table, connect(5, event.Process{PID: 90}), `g0 `+cmd+` 90 "cmd /c" by `)
	// What the event says stays.
	ev := connect(5, ran("", `\device\harddiskvolume2\windows\system32\CURL.EXE`, "", 100))
	ev.User.Name = "bob"
	expect(t, table, ev, `g1 \device\harddiskvolume2\windows\system32\CURL.EXE 100 "curl x" by bob of g0 `+cmd+` 90 "cmd /c"`)
	ev = connect(5, event.Process{PID: 100})
	ev.Device.Hostname = "WS"
	expect(t, table, ev, whole)
	// Others' processes are not.
	for name, ev := range map[string]*event.Event{
		"before it started": connect(-5, event.Process{PID: 100}),
		"another program":   connect(5, event.Process{PID: 100, Path: cmd}),
		"another process":   connect(5, event.Process{PID: 100, UID: "g9"}),
		"no process":        connect(5, event.Process{}),
	} {
		table.Annotate(ev)
		if ev.Process.CmdLine != "" || ev.User.Name != "" {
			t.Errorf("%s: %s", name, show(ev))
		}
	}
	ev = connect(5, event.Process{PID: 100})
	ev.Device.Hostname = "other"
	expect(t, table, ev, `  100 "" by `)
}

// TestParent: a launch that only has its parent's id is given the rest.
func TestParent(t *testing.T) {
	table := endpoint.NewTable(endpoint.TableOptions{})
	table.Annotate(launch(0, ran("", cmd, "cmd /c x", 90)))
	p := ran("", curl, "curl x", 100)
	p.Parent = &event.Process{PID: 90, Path: cmd}
	expect(t, table, launch(1, p), ` `+curl+` 100 "curl x" by joe of  `+cmd+` 90 "cmd /c x"`)
	expect(t, table, connect(2, event.Process{PID: 100}), ` `+curl+` 100 "curl x" by joe of  `+cmd+` 90 "cmd /c x"`)
}

func TestPidReuse(t *testing.T) {
	table := endpoint.NewTable(endpoint.TableOptions{})
	table.Annotate(launch(0, ran("", curl, "first", 100)))
	table.Annotate(launch(60, ran("", cmd, "third", 100)))
	table.Annotate(launch(30, ran("", curl, "second", 100))) // late
	tests := []struct {
		seconds int
		want    string
	}{{60, "third"}, {10, "first"}, {27, "first"}, {31, "second"}, {57, "second"}, {-10, ""}, {1000, "third"}, {10, ""}}
	for _, tt := range tests {
		ev := connect(tt.seconds, event.Process{PID: 100})
		table.Annotate(ev)
		if ev.Process.CmdLine != tt.want {
			t.Errorf("at %d s: %s, want %s", tt.seconds, show(ev), tt.want)
		}
	}
	if s := table.Stats(); s.Learned != 3 {
		t.Errorf("%+v", s)
	}
}

// TestManyOfOnePid: whoever starts processes with one pid over and over has
// only the latest of them looked through.
func TestManyOfOnePid(t *testing.T) {
	table := endpoint.NewTable(endpoint.TableOptions{Late: 24 * time.Hour})
	const all, known = 1000, 32
	for n := range all {
		table.Annotate(launch(10*n, ran("", curl, fmt.Sprint(n), 100)))
	}
	for n, want := range map[int]string{0: "", all - known - 1: "", all - known: fmt.Sprint(all - known), all - 1: fmt.Sprint(all - 1)} {
		ev := connect(10*n+5, event.Process{PID: 100})
		if table.Annotate(ev); ev.Process.CmdLine != want {
			t.Errorf("the %d-th: %s, want %q", n, show(ev), want)
		}
	}
	table.Annotate(connect(10*all+25*3600, event.Process{PID: 7})) // all but the last are forgotten
	if s := table.Stats(); s.Processes != 1 || s.Forgotten != all-1 {
		t.Errorf("%+v", s)
	}
}

// TestTwoSensors: Sysmon and Security tell of one process.
func TestTwoSensors(t *testing.T) {
	table := endpoint.NewTable(endpoint.TableOptions{})
	table.Annotate(launch(0, ran("", curl, "", 100)))
	table.Annotate(launch(1, ran("g1", curl, "curl x", 100)))
	if s := table.Stats(); s.Processes != 1 {
		t.Errorf("%+v", s)
	}
	expect(t, table, connect(2, event.Process{PID: 100}), `g1 `+curl+` 100 "curl x" by joe`)
	table.Annotate(launch(1, ran("", curl, "curl y", 100)))
	if s := table.Stats(); s.Processes != 2 {
		t.Errorf("another command line is another process: %+v", s)
	}
}

func TestLearnedByMention(t *testing.T) {
	table := endpoint.NewTable(endpoint.TableOptions{})
	table.Annotate(connect(0, ran("g1", curl, "", 100)))
	expect(t, table, connect(-30, event.Process{PID: 100}), `g1 `+curl+` 100 "" by `)

	image := launch(1, event.Process{UID: "g1"})
	image.Class = event.BaseEvent
	image.Add(endpoint.Signature, endpoint.Unsigned)
	image.Add(endpoint.Signer, "nobody")
	table.Annotate(image)
	expect(t, table, connect(2, event.Process{PID: 100}), `g1 `+curl+` 100 "" by joe process_signature=unsigned process_signer=nobody`)

	table.Annotate(launch(0, ran("g1", curl, "curl x", 100))) // after its first deed
	expect(t, table, connect(3, event.Process{UID: "g1"}), `g1 `+curl+` 100 "curl x" by joe process_signature=unsigned process_signer=nobody`)
	if s := table.Stats(); s.Learned != 1 {
		t.Errorf("%+v", s)
	}
}

// TestLogin: who logs in through a process is not who it runs as.
func TestLogin(t *testing.T) {
	table := endpoint.NewTable(endpoint.TableOptions{})
	login := connect(0, ran("", `C:\Windows\System32\lsass.exe`, "", 7))
	login.Class, login.User = event.Authentication, event.User{Name: "joe"}
	table.Annotate(login)
	expect(t, table, connect(1, event.Process{PID: 7}), ` C:\Windows\System32\lsass.exe 7 "" by `)
}

func TestLate(t *testing.T) {
	table := endpoint.NewTable(endpoint.TableOptions{Late: time.Minute})
	table.Annotate(launch(0, ran("g1", curl, "curl x", 100)))
	table.Annotate(terminate(10, event.Process{UID: "g1"}))
	expect(t, table, connect(13, event.Process{PID: 100}), `  100 "" by `)
	expect(t, table, connect(70, event.Process{UID: "g1"}), `g1 `+curl+` 100 "curl x" by joe`)
	expect(t, table, connect(9, event.Process{PID: 100}), `g1 `+curl+` 100 "curl x" by joe`)
	expect(t, table, connect(71, event.Process{UID: "g1"}), `g1  0 "" by `)
	if s := table.Stats(); s.Forgotten != 1 || s.Processes != 0 || s.Devices != 0 || s.Bytes != 0 {
		t.Errorf("%+v", s)
	}
}

// TestOwnsStrings: nothing of a record's text is kept.
func TestOwnsStrings(t *testing.T) {
	table := endpoint.NewTable(endpoint.TableOptions{})
	text := []byte("ws|g1|" + curl + "|curl x|joe|g0|" + cmd)
	part := strings.Split(unsafe.String(&text[0], len(text)), "|")
	p := ran(part[1], part[2], part[3], 100)
	p.Parent = &event.Process{UID: part[5], Path: part[6]}
	ev := launch(0, p)
	ev.Device.Hostname, ev.User = part[0], event.User{Name: part[4]}
	table.Annotate(ev)
	for i := range text {
		text[i] = '?'
	}
	expect(t, table, connect(1, event.Process{PID: 100}), `g1 `+curl+` 100 "curl x" by joe of g0 `+cmd+` 0 ""`)
}

func TestLongTexts(t *testing.T) {
	table := endpoint.NewTable(endpoint.TableOptions{})
	table.Annotate(launch(0, ran("g1", curl, strings.Repeat("x", 100_000), 100)))
	ev := connect(1, event.Process{PID: 100})
	if table.Annotate(ev); len(ev.Process.CmdLine) != 8<<10 {
		t.Errorf("%d bytes of a command line", len(ev.Process.CmdLine))
	}
	table.Annotate(launch(0, ran(strings.Repeat("x", 1000), curl, "", 200)))
	ev = launch(0, ran("", curl, "", 300))
	ev.Device.Hostname = strings.Repeat("x", 1000)
	table.Annotate(ev)
	if s := table.Stats(); s.Learned != 1 || s.Unknown != 2 {
		t.Errorf("%+v", s)
	}
}

// TestBounds floods the table, from one machine and from many.
func TestBounds(t *testing.T) {
	tests := []struct {
		name    string
		options endpoint.TableOptions
		host    func(i int) string
		most    int
	}{
		{"one machine", endpoint.TableOptions{MaxPerDevice: 50}, func(int) string { return "bad" }, 51},
		{"many machines", endpoint.TableOptions{MaxProcesses: 100}, func(i int) string { return fmt.Sprint("bad", i) }, 100},
		{"bytes", endpoint.TableOptions{MaxBytes: 100_000}, func(int) string { return "bad" }, 100_000 / 512},
	}
	for _, tt := range tests {
		for _, ends := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, " ends ", ends), func(t *testing.T) {
				table := endpoint.NewTable(tt.options)
				table.Annotate(launch(0, ran("g", cmd, "kept", 1)))
				for i := range 2000 {
					p := ran(fmt.Sprint("g", i), curl, "curl x", int64(i))
					ev := launch(1, p)
					ev.Device.Hostname = tt.host(i)
					table.Annotate(ev)
					if ends {
						ev = terminate(1, p)
						ev.Device.Hostname = tt.host(i)
						table.Annotate(ev)
					}
					table.Annotate(connect(1, event.Process{PID: 1})) // it is in use
				}
				s := table.Stats()
				if s.Processes > tt.most || s.Evicted != 2001-uint64(s.Processes) || s.Learned != 2001 {
					t.Errorf("%+v", s)
				}
				expect(t, table, connect(2, event.Process{PID: 1}), `g `+cmd+` 1 "kept" by joe`)
			})
		}
	}
}

// TestAccount: after any sequence, what was learned is there, was forgotten or
// evicted, and an empty table has no bytes.
func TestAccount(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		table := endpoint.NewTable(endpoint.TableOptions{MaxProcesses: 20, MaxPerDevice: 8, Late: 30 * time.Second})
		for i := range 300 {
			p := event.Process{PID: int64(rng.IntN(6))}
			if rng.IntN(2) == 0 {
				p.UID = fmt.Sprint("g", rng.IntN(20))
			}
			if rng.IntN(3) > 0 {
				p.Path = []string{curl, cmd}[rng.IntN(2)]
			}
			if rng.IntN(3) == 0 {
				p.Parent = &event.Process{PID: int64(rng.IntN(6)), Path: cmd}
			}
			ev := []func(int, event.Process) *event.Event{launch, terminate, connect}[rng.IntN(3)](i+rng.IntN(60)-30, p)
			ev.Device.Hostname = fmt.Sprint("h", rng.IntN(4))
			table.Annotate(ev)
			s := table.Stats()
			if uint64(s.Processes) != s.Learned-s.Forgotten-s.Evicted || s.Processes > 20 || s.Devices > s.Processes || s.Bytes < int64(s.Processes)*512 {
				t.Fatalf("%+v", s)
			}
		}
		for h := range 4 { // all end, and are forgotten
			for range 8 {
				for pid := range 6 {
					for u := range 20 {
						end := terminate(400, event.Process{PID: int64(pid), UID: fmt.Sprint("g", u)})
						end.Device.Hostname = fmt.Sprint("h", h)
						table.Annotate(end)
					}
				}
			}
		}
		for h := range 4 {
			last := connect(4000, event.Process{PID: 99})
			last.Device.Hostname = fmt.Sprint("h", h)
			table.Annotate(last)
		}
		if s := table.Stats(); s.Processes == 0 && (s.Bytes != 0 || s.Devices != 0) {
			t.Fatalf("empty: %+v", s)
		}
	}
}

// crowd is a table of n processes on 100 machines, and an event of each.
func crowd(n int) (*endpoint.Table, []*event.Event) {
	table := endpoint.NewTable(endpoint.TableOptions{})
	var events []*event.Event
	for i := range n {
		host := fmt.Sprintf("WS-%03d.corp.example", i%100)
		uid := fmt.Sprintf("5aa13a44-0b18-68fd-6336-%012d", i)
		p := event.Process{
			UID: uid, PID: int64(i / 100 * 4), Path: curl, Name: "curl.exe", CmdLine: "curl -o C:\\Users\\joe\\x https://pastebin.com/raw/x",
			Parent: &event.Process{UID: fmt.Sprint("p", i%100), PID: 90, Path: cmd, Name: "cmd.exe", CmdLine: "cmd /c x.bat"},
		}
		ev := launch(0, p)
		ev.Device.Hostname = host
		table.Annotate(ev)
		seen := connect(10, event.Process{UID: uid, PID: p.PID, Path: curl, Name: "curl.exe"})
		seen.Device.Hostname = host
		events = append(events, seen)
	}
	return table, events
}

func TestAnnotateAllocates(t *testing.T) {
	table, events := crowd(5000)
	i := 0
	n := testing.AllocsPerRun(1000, func() {
		table.Annotate(events[i])
		i++
	})
	if n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
	if s := table.Stats(); s.Annotated < 1000 || events[0].Process.Parent == nil {
		t.Errorf("%+v", s)
	}
}

// TestTableMemory holds the estimate of memory against the heap.
func TestTableMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	table, _ := crowd(20_000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	s := table.Stats()
	heap := float64(after.HeapAlloc) - float64(before.HeapAlloc)
	t.Logf("%d processes, %d bytes estimated, %.0f on the heap", s.Processes, s.Bytes, heap)
	if heap > 1.25*float64(s.Bytes) {
		t.Errorf("%.0f bytes on the heap, %d by estimate", heap, s.Bytes)
	}
	runtime.KeepAlive(table)
}

func BenchmarkAnnotate(b *testing.B) {
	table, events := crowd(100_000)
	type key struct {
		host string
		p    event.Process
	}
	var keys []key
	for _, ev := range events {
		keys = append(keys, key{ev.Device.Hostname, ev.Process})
	}
	for _, by := range []string{"uid", "pid"} {
		for _, of := range []int{1, 1000, len(keys)} {
			b.Run(fmt.Sprintf("%s/of=%d", by, of), func(b *testing.B) {
				b.ReportAllocs()
				ev, i := events[0], 0
				for b.Loop() {
					k := &keys[(i*50_021+500)%len(keys)]
					ev.Device.Hostname, ev.Process, ev.User = k.host, k.p, event.User{}
					if by == "pid" {
						ev.Process.UID = ""
					}
					table.Annotate(ev)
					i = (i + 1) % of
				}
			})
		}
	}
}
