package app

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vegress/vegress/simulator"
)

// BenchmarkPeers measures, with the lines of BenchmarkService and on the same
// machine, what the service is held against: a loop that reads the socket and
// throws away (the limit of anything), and rsyslog, where it is installed,
// parsing lines and writing them to a file.
//
//	go test -run '^$' -bench 'Service|Peers' -benchtime 1000000x ./cmd/internal/app
func BenchmarkPeers(b *testing.B) {
	for _, connections := range []int{1, 8} {
		b.Run(fmt.Sprintf("discard/tcp%d", connections), func(b *testing.B) { benchmarkDiscard(b, connections) })
		b.Run(fmt.Sprintf("rsyslog/tcp%d", connections), func(b *testing.B) { benchmarkRsyslog(b, connections) })
	}
}

// asDiscard makes the test binary the loop that throws away.
const asDiscard = "VEGRESS_TEST_AS_DISCARD"

// discard reads connections to the listener handed down as file 3, for ever.
func discard() {
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		panic(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() { _, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, conn, make([]byte, 64<<10)) }()
	}
}

func benchmarkDiscard(b *testing.B, connections int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asDiscard+"=1")
	cmd.ExtraFiles = []*os.File{file}
	runPeer(b, cmd)
	benchmarkPeer(b, cmd.Process.Pid, listener.Addr().String(), connections, func() {})
}

func benchmarkRsyslog(b *testing.B, connections int) {
	path, err := exec.LookPath("rsyslogd")
	if err != nil {
		b.Skip("rsyslogd is not installed")
	}
	dir := b.TempDir()
	addr := freeAddr(b)
	_, port, _ := net.SplitHostPort(addr)
	out := filepath.Join(dir, "out.log")
	config := writeIn(b, dir, "rsyslog.conf", fmt.Sprintf(rsyslogConfig, dir, port, out))
	cmd := exec.Command(path, "-n", "-f", config, "-i", filepath.Join(dir, "pid"))
	runPeer(b, cmd)
	for range 100 { // until it listens
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	benchmarkPeer(b, cmd.Process.Pid, addr, connections, func() { awaitQuiet(b, out) })
	text, err := os.ReadFile(out)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N-bytes.Count(text, []byte("\n"))), "lost")
}

// rsyslogConfig parses lines from TCP and writes their parts as JSON, with the
// queue and the buffers of a busy installation.
const rsyslogConfig = `global(workDirectory="%s")
module(load="imptcp" threads="2")
input(type="imptcp" port="%s" address="127.0.0.1" ruleset="main")
template(name="parts" type="list") {
  constant(value="{\"time\":\"") property(name="timereported" dateFormat="rfc3339")
  constant(value="\",\"pri\":\"") property(name="pri")
  constant(value="\",\"host\":\"") property(name="hostname" format="json")
  constant(value="\",\"app\":\"") property(name="programname" format="json")
  constant(value="\",\"pid\":\"") property(name="procid" format="json")
  constant(value="\",\"msg\":\"") property(name="msg" format="json")
  constant(value="\"}\n")
}
ruleset(name="main" queue.type="FixedArray" queue.size="100000" queue.dequeueBatchSize="1024" queue.workerThreads="1") {
  action(type="omfile" file="%s" template="parts" ioBufferSize="256k" flushOnTXEnd="off" flushInterval="1" asyncWriting="on")
}
`

// awaitQuiet waits until a file is there and no longer grows.
func awaitQuiet(b *testing.B, name string) {
	for last := int64(-1); ; time.Sleep(1500 * time.Millisecond) {
		info, err := os.Stat(name)
		if err == nil && info.Size() == last {
			return
		}
		if err == nil {
			last = info.Size()
		}
		if b.Context().Err() != nil {
			b.Fatal("nothing was written to ", name)
		}
	}
}

func writeIn(b *testing.B, dir, name, text string) string {
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}

func freeAddr(b *testing.B) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// runPeer starts a peer, and ends it with the benchmark.
func runPeer(b *testing.B, cmd *exec.Cmd) {
	var said lockedBuffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if text := strings.TrimSpace(said.String()); text != "" {
			b.Log(text)
		}
	})
}

// benchmarkPeer sends the lines and reports what the process used for them.
func benchmarkPeer(b *testing.B, pid int, addr string, connections int, finish func()) {
	before := cpuTime(b, pid)
	began := time.Now()
	b.ResetTimer()
	sent, err := simulator.Load(b.Context(), simulator.LoadOptions{
		Target: "tcp://" + addr, Connections: connections, Count: int64(b.N),
	})
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	finish()
	b.StopTimer()
	reportCPU(b, pid, before, sent.Records)
	b.ReportMetric(float64(sent.Records)/took.Seconds(), "lines/s")
	b.ReportMetric(peakMemory(b, pid), "peak-MB")
}
