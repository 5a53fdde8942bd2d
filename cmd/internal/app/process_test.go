package app

import (
	"bufio"
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
	nats   string
	http   string
	log    lockedBuffer
	closed chan struct{} // its standard error ended
}

// spawn runs "vegress run" in dir until it says that it is ready. What the
// last process in dir stored is there again.
func spawn(tb testing.TB, dir, config string) *process {
	tb.Helper()
	file := filepath.Join(dir, "vegress.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	p := &process{tb: tb, cmd: exec.Command(os.Args[0], "run", "--config", file), closed: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asCommand+"=1",
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
	case <-time.After(time.Minute):
		tb.Fatalf("not ready within a minute: %s", p.log.String())
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
			Nats, HTTP string
		}
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "ready" {
			p.syslog, p.nats, p.http = line.Syslog, line.Nats, line.HTTP
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

// stored reads all events back from NATS: how often each uid and each record
// stands there.
func (p *process) stored(uids, records map[string]int) {
	p.tb.Helper()
	nc, err := forward.Dial(p.nats, "", "", nil)
	if err != nil {
		p.tb.Fatal(err)
	}
	defer nc.Close()
	deadline := time.Now().Add(time.Minute)
	for line, err := range forward.Follow(p.tb.Context(), nc, forward.FollowOptions{Events: true, Since: time.Unix(1, 0)}) {
		if err != nil {
			p.tb.Fatal(err)
		}
		if strings.Contains(string(line), lastRecord) {
			return
		}
		ev, err := event.Parse(line)
		if err != nil {
			p.tb.Fatal(err)
		}
		uids[ev.UID]++
		for record := range strings.SplitSeq(ev.Raw, "\n") {
			records[record]++
		}
		if time.Now().After(deadline) {
			p.tb.Fatal("the stream does not end within a minute")
		}
	}
}

// lastRecord marks the end of what a test sent.
const lastRecord = "this is the last record"

// TestKill: what was acknowledged before a kill -9 under load is in the stream
// once after the restart.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	p := spawn(t, dir, "")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = simulator.Load(t.Context(), simulator.LoadOptions{
			Target: p.syslog[0], Connections: 4, Rate: 20000, Patience: time.Millisecond,
		})
	}()
	var acknowledged account
	eventually(t, "some thousand records acknowledged", func() bool {
		acknowledged = p.account()
		return acknowledged.Forwarded > 5000
	})
	p.kill()
	<-done

	p = spawn(t, dir, "")
	sendLast(t, p)
	uids, records := map[string]int{}, map[string]int{}
	p.stored(uids, records)
	for uid, n := range uids {
		if n != 1 {
			t.Errorf("event %s stands %d times in the stream", uid, n)
		}
	}
	if got := int64(len(uids)); got < acknowledged.Forwarded {
		t.Errorf("%d events were acknowledged, %d are stored", acknowledged.Forwarded, got)
	}
	if code := p.terminate(); code != exitOK {
		t.Errorf("exit code %d after SIGTERM: %s", code, p.log.String())
	}
}

func sendLast(t *testing.T, p *process) {
	t.Helper()
	sent, err := net.Dial("tcp", strings.TrimPrefix(p.syslog[0], "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	defer sent.Close()
	fmt.Fprintf(sent, "<14>2026-11-22T06:00:00.000Z esx01 vobd: %s\n", lastRecord)
	eventually(t, "the last record stored", func() bool { a := p.account(); return a.Received >= 1 && a.InFlight == 0 })
}
