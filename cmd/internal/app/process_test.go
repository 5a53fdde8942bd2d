package app

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/simulator"
)

// process is a vegress of its own, started from the test binary.
type process struct {
	tb     testing.TB
	cmd    *exec.Cmd
	syslog []string // "tcp://127.0.0.1:port" first, then udp
	flows  []string // "udp://127.0.0.1:port", where they are taken
	nats   string
	http   string
	log    lockedBuffer
	closed chan struct{} // its standard error ended
}

// spawn runs "vegress run" in dir until it says that it is ready. What the
// last process in dir stored is there again.
func spawn(tb testing.TB, dir, config string) *process { return spawnAs(tb, "vegress", dir, config) }

// spawnAs is spawn with the test binary in another role; see TestMain.
func spawnAs(tb testing.TB, role, dir, config string) *process {
	tb.Helper()
	file := filepath.Join(dir, "vegress.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	p := &process{tb: tb, cmd: exec.Command(os.Args[0], "run", "--config", file), closed: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asCommand+"="+role,
		"VEGRESS_DATA_DIR="+filepath.Join(dir, "data"), "VEGRESS_COLLECTOR=test",
		"VEGRESS_LISTEN_SYSLOG=tcp://127.0.0.1:0,udp://127.0.0.1:0", "VEGRESS_LISTEN_HTTP=127.0.0.1:0",
		"VEGRESS_FORWARD_LISTEN=127.0.0.1:0", "VEGRESS_LOG_FORMAT=json")
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ready := make(chan struct{})
	go p.read(bufio.NewScanner(stderr), ready)
	select {
	case <-ready:
	case <-p.closed:
		tb.Fatalf("the process ended: %s", p.log.String())
	case <-time.After(patience):
		tb.Fatalf("not ready within %s: %s", patience, p.log.String())
	}
	tb.Cleanup(func() { p.kill() })
	return p
}

// read keeps the log, and takes the addresses out of its "ready" line.
func (p *process) read(lines *bufio.Scanner, ready chan struct{}) {
	defer close(p.closed)
	for lines.Scan() {
		fmt.Fprintln(&p.log, lines.Text())
		var line struct {
			Msg        string
			Syslog     []string
			IPFIX      []string
			Nats, HTTP string
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			p.syslog, p.flows, p.nats, p.http = line.Syslog, line.IPFIX, line.Nats, line.HTTP
			close(ready)
		}
	}
}

// kill ends the process with SIGKILL, if it still runs.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.closed
	_ = p.cmd.Wait()
}

// terminate ends it softly, and gives its exit code.
func (p *process) terminate() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.closed
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// account reads /healthz.
func (p *process) account() account {
	p.tb.Helper()
	answer, err := http.Get("http://" + p.http + "/healthz")
	if err != nil {
		p.tb.Fatal(err)
	}
	defer answer.Body.Close()
	var body struct{ Records account }
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		p.tb.Fatal(err)
	}
	return body.Records
}

// hangup sends SIGHUP.
func (p *process) hangup() {
	p.tb.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		p.tb.Fatal(err)
	}
}

// logged counts the log's lines with that text.
func (p *process) logged(text string) int { return strings.Count(p.log.String(), text) }

// send writes lines to the TCP listener, and waits until as many are received.
func (p *process) send(lines ...string) {
	p.tb.Helper()
	before := p.account().Received
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.syslog[0], "tcp://"))
	if err != nil {
		p.tb.Fatal(err)
	}
	defer conn.Close()
	for _, line := range lines {
		fmt.Fprintln(conn, line)
	}
	eventually(p.tb, "lines received", func() bool { return p.account().Received >= before+int64(len(lines)) })
}

// sendLast sends the last record, and waits until it is stored.
func (p *process) sendLast(t *testing.T) {
	t.Helper()
	p.send(fmt.Sprintf("<14>%s esx01 vobd: %s", time.Now().UTC().Format(stamp), lastRecord))
	eventually(t, "the last record stored", func() bool { return p.account().InFlight == 0 })
}

// openFindings reads which findings are open, by key.
func (p *process) openFindings(t *testing.T) map[string]*event.Finding {
	t.Helper()
	nc, err := forward.Dial(p.nats, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	open, _, err := forward.OpenFindings(t.Context(), nc)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*event.Finding{}
	for _, f := range open {
		all[f.Entity+" "+f.Dst.IP.String()] = f
	}
	return all
}

// TestKill: what was acknowledged before a kill -9 under load is in the stream
// once after the restart, the findings that were open go on, and the service
// takes new records.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	estate, config := openEstate(t)
	vm := vmWith(t, estate.Site, "")
	key := "vm:" + simulator.VCenterName + "/" + vm.InstanceUUID + " 203.0.113.9"
	p := spawn(t, dir, config)
	loading, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Its end is the connection's, which the test breaks.
		_, _ = simulator.Load(loading, simulator.LoadOptions{
			Target: p.syslog[0], Connections: 4, Rate: 20000, Patience: time.Millisecond,
		})
	}()
	p.send(flow(vm, 40001, "203.0.113.9/443"))
	var before *event.Finding
	eventually(t, "a finding stored", func() bool { before = p.openFindings(t)[key]; return before != nil })
	var acknowledged account
	eventually(t, "some thousand records acknowledged", func() bool {
		acknowledged = p.account()
		return acknowledged.Forwarded > 5000
	})
	p.kill()
	stop()
	<-done

	p = spawn(t, dir, config)
	p.send(flow(vm, 40002, "203.0.113.9/443"), numbered("after", 0), numbered("after", 1))
	p.sendLast(t)
	all := readTally(t, p.nats)
	if got := int64(len(all.order)); got < acknowledged.Forwarded {
		t.Errorf("%d events were acknowledged, %d are stored", acknowledged.Forwarded, got)
	}
	checkNumbered(t, all.numbers, "after", 2)
	if code := p.terminate(); code != exitOK {
		t.Errorf("exit code %d after SIGTERM: %s", code, p.log.String())
	}

	p = spawn(t, dir, config)
	switch after := p.openFindings(t)[key]; {
	case after == nil:
		t.Errorf("finding %s is open no more", before.UID)
	case after.UID != before.UID || after.Count != before.Count+1:
		t.Errorf("finding %s of %d events goes on as %s of %d", before.UID, before.Count, after.UID, after.Count)
	}
}
