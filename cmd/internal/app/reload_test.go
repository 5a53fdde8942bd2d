package app

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/simulator"
)

// colored is a policy whose role and justification have a name of their own:
// an event that was enriched by one and judged by another has no verdict for
// its role.
func colored(color, vm string) string {
	return fmt.Sprintf(`roles: [{name: %[1]s, names: [%[2]q]}]
justifications: [{name: by %[1]s, role: %[1]s, destinations: ["203.0.113.0/24"], ports: [443]}]
`, color, vm)
}

// checkWhole fails unless each connection of vm was judged by a whole policy;
// it gives how many were judged by each.
func checkWhole(t *testing.T, url string, vm *simulator.VM) map[string]int {
	t.Helper()
	by, half := map[string]int{}, 0
	readBack(t, url, func(ev *event.Event) {
		if ev.Src.IP != vm.Address {
			return
		}
		color := ""
		if known := ev.Src.Context.VM; known != nil && len(known.Roles) == 1 {
			color = known.Roles[0]
		}
		by[color]++
		if j := ev.Justification; color == "" || j.Verdict != event.VerdictJustified || j.By != "by "+color {
			if half++; half == 1 {
				t.Errorf("an event with role %q is %s by %q (%s)", color, j.Verdict, j.By, j.Reason)
			}
		}
	})
	if half > 0 {
		t.Errorf("%d events in all are judged by half a policy", half)
	}
	return by
}

// TestReload: under load, every event is judged by the policy whose role it
// has.
func TestReload(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	vm := vmWith(t, estate.Site, "")
	files := []string{
		write(t, "red.yaml", vcenter+colored("red", vm.Name)),
		write(t, "blue.yaml", vcenter+colored("blue", vm.Name)),
	}
	s := start(t, testConfig(t, files[0], nil))
	loading, stop := context.WithCancel(t.Context())
	defer stop()
	var senders sync.WaitGroup
	for range 3 {
		conn := s.sender()
		senders.Go(func() {
			pulse := time.NewTicker(time.Millisecond) // all that comes is read back
			defer pulse.Stop()
			for port := 32768; loading.Err() == nil; port = 32768 + (port+1)%20000 {
				if port%10 == 0 {
					<-pulse.C
				}
				fmt.Fprintln(conn, flow(vm, port, "203.0.113.9/443"))
			}
		})
	}
	for i := range 40 {
		before := s.account().Received
		if err := s.reload(testConfig(t, files[(i+1)%2], nil)); err != nil {
			t.Fatal(err)
		}
		s.eventually("records after the reload", func() bool { return s.account().Received > before+100 })
	}
	stop()
	senders.Wait()
	s.settled(0)
	s.sendLast()
	by := checkWhole(t, s.broker.ClientURL(), vm)
	if by["red"] < 1000 || by["blue"] < 1000 {
		t.Errorf("judged by policy: %v; want thousands by each", by)
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if err := s.reload(testConfig(t, files[0], nil)); err == nil {
		t.Error("a service that has stopped takes a new policy")
	}
}

// TestReloadChangesNothing: what cannot be put in force leaves all as it was.
func TestReloadChangesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, testConfig(t, "", nil))
	was := s.server.Stats()
	for name, change := range map[string]func(c *configs.Config){
		"certificate": func(c *configs.Config) {
			c.Listen.Syslog.TLS.CertFile, c.Listen.Syslog.TLS.KeyFile = "/nowhere/crt", "/nowhere/key"
		},
		"catalogue":      func(c *configs.Config) { c.Catalogue.Paths = []string{"/nowhere/list.yaml"} },
		"justifications": func(c *configs.Config) { c.Egress.Justifications[0].Destinations = []string{"300.0.0.0/8"} },
	} {
		config := testConfig(t, write(t, "c.yaml", colored("red", "x")), map[string]any{"listen.allowed_sources": []string{"192.0.2.1"}})
		change(&config)
		if err := s.reload(config); err == nil {
			t.Errorf("%s: not refused", name)
		}
	}
	// The allowed sources of the refused configurations would have kept it out.
	fmt.Fprintln(s.sender(), numbered("still", 0))
	s.settled(1)
	if now := s.server.Stats(); now.Refused != was.Refused {
		t.Errorf("refused: %+v", now.Refused)
	}
}

// TestHangup is TestReload with a process, its files and SIGHUP: a bad file
// changes nothing and is logged, limits and allowed sources are put in force,
// and what needs a restart is named.
func TestHangup(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	vm := vmWith(t, estate.Site, "")
	dir := t.TempDir()
	p := spawn(t, dir, vcenter+colored("red", vm.Name))
	reload := func(config, log string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "vegress.yaml"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		before := p.logged(log)
		p.hangup()
		eventually(t, log, func() bool { return p.logged(log) > before })
	}
	const done, refused = `"msg":"reloaded"`, `"msg":"reload refused: nothing has changed"`

	loading, stop := context.WithCancel(t.Context())
	defer stop()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.syslog[0], "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var sender sync.WaitGroup
	sender.Go(func() {
		for port := 32768; loading.Err() == nil; port = 32768 + (port+1)%20000 {
			fmt.Fprintln(conn, flow(vm, port, "203.0.113.9/443"))
		}
	})
	wait := func() {
		before := p.account().Received
		eventually(t, "records after the reload", func() bool { return p.account().Received > before+500 })
	}
	for _, color := range []string{"blue", "red", "blue"} {
		reload(vcenter+colored(color, vm.Name), done)
		wait()
	}
	reload(vcenter+"roles: [{name: green, nmaes: [x]}]\n", refused)
	reload("roles: [\n", refused)
	wait()
	stop()
	sender.Wait()
	conn.Close()
	eventually(t, "all stored", func() bool { return p.account().InFlight == 0 })

	p.sendLast(t)
	if by := checkWhole(t, p.nats, vm); by["red"] == 0 || by["blue"] == 0 || len(by) != 2 {
		t.Errorf("judged by %v; want red and blue", slices.Sorted(maps.Keys(by)))
	}
	if !strings.Contains(p.log.String(), "nmaes") {
		t.Errorf("the log does not name the unknown key:\n%s", p.log.String())
	}

	reload("limits: {connections: 1}\n", `in force only after a restart","keys":["vcenters"]`)
	first := dialHeld(t, p) // with a record: a silent one would make room
	before := p.account().Received
	fmt.Fprintf(first, "<14>2026-11-22T06:00:00.000Z esx01 vobd: hold\n")
	eventually(t, "its record received", func() bool { return p.account().Received > before })
	if second := dialHeld(t, p); open(second) {
		t.Error("a second connection is let in over limits.connections")
	}
	if !open(first) {
		t.Error("the first connection is closed")
	}
	reload("listen: {allowed_sources: [192.0.2.1]}\n", done)
	if conn := dialHeld(t, p); open(conn) {
		t.Error("a source is let in that listen.allowed_sources does not have")
	}
}

// dialHeld connects to a process's TCP listener until the test ends.
func dialHeld(t testing.TB, p *process) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.syslog[0], "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// open says that the peer has not closed the connection: it is silent.
func open(conn net.Conn) bool {
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, err := conn.Read(make([]byte, 1))
	return err != io.EOF && !strings.Contains(fmt.Sprint(err), "reset")
}
