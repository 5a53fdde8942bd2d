package app

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/simulator"
)

// BenchmarkService measures the whole process with every stage on, inventory,
// embedded NATS server and file store included: CPU time for each line, from
// the socket to JetStream's acknowledgement. Run it with a fixed number of
// lines:
//
//	go test -run '^$' -bench Service -benchtime 1000000x ./cmd/internal/app
func BenchmarkService(b *testing.B) {
	for _, bb := range []struct {
		name, network, config string
		connections           int
	}{
		{"tcp1", "tcp", "", 1},
		{"tcp8", "tcp", "", 8},
		{"tcp8-snappy", "tcp", "forward: {compression: snappy}", 8},
		{"udp", "udp", "", 1},
	} {
		b.Run(bb.name, func(b *testing.B) { benchmarkService(b, bb.network, bb.connections, bb.config) })
	}
}

func benchmarkService(b *testing.B, network string, connections int, config string) {
	estate, vcenter := openEstate(b)
	p := spawn(b, b.TempDir(), config+"\n"+vcenter+estate.Site.Config())
	target := p.syslog[0]
	if network == "udp" {
		target = p.syslog[1]
	}
	before := cpuTime(b, p.cmd.Process.Pid)
	began := time.Now()
	b.ResetTimer()
	sent, err := simulator.Load(b.Context(), simulator.LoadOptions{
		Target: target, Connections: connections, Count: int64(b.N), Seed: estate.Site.Seed,
	})
	if err != nil {
		b.Fatal(err)
	}
	a := p.account()
	for last := int64(-1); a.Received < sent.Records && a.Received > last || a.InFlight > 0; a = p.account() {
		last = a.Received
		time.Sleep(300 * time.Millisecond)
	}
	b.StopTimer()
	took := time.Since(began)
	reportCPU(b, p.cmd.Process.Pid, before, a.Received)
	b.ReportMetric(float64(a.Received)/took.Seconds(), "lines/s")
	b.ReportMetric(float64(sent.Records-a.Received), "lost")
	b.ReportMetric(peakMemory(b, p.cmd.Process.Pid), "peak-MB")
	b.SetBytes(sent.Bytes / int64(b.N))
	p.terminate()
}

// BenchmarkFlows is BenchmarkService for flow records over UDP, about fourteen in
// a datagram, at a rate that the process can take:
//
//	go test -run '^$' -bench Flows -benchtime 500000x ./cmd/internal/app
func BenchmarkFlows(b *testing.B) {
	for _, rate := range []int{2000, 5000, 10000} { // datagrams a second
		b.Run(strconv.Itoa(rate), func(b *testing.B) { benchmarkFlows(b, rate) })
	}
}

func benchmarkFlows(b *testing.B, rate int) {
	estate, vcenter := openEstate(b)
	flows := estate.Site.Traffic().Flows(simulator.FlowOptions{Gather: time.Hour})
	p := spawn(b, b.TempDir(), "max_skew: 24h\nlisten: {ipfix: [\"udp://127.0.0.1:0\"]}\n"+vcenter+estate.Site.Config())
	before := cpuTime(b, p.cmd.Process.Pid)
	began := time.Now()
	b.ResetTimer()
	sent, records, bytes := int64(0), 0, int64(0)
	for records < b.N { // each time from other sockets: other exporters
		counts, err := flows.Play(b.Context(), p.flows[0], rate)
		if err != nil {
			b.Fatal(err)
		}
		sent, bytes, records = sent+counts.Records, bytes+counts.Bytes, records+flows.Truth().Records
	}
	a := p.account()
	for last := int64(-1); a.Received < int64(records) && a.Received > last || a.InFlight > 0; a = p.account() {
		last = a.Received
		time.Sleep(300 * time.Millisecond)
	}
	b.StopTimer()
	took := time.Since(began)
	reportCPU(b, p.cmd.Process.Pid, before, a.Received)
	b.ReportMetric(float64(a.Received)/took.Seconds(), "records/s")
	b.ReportMetric(float64(records)/float64(sent), "records/datagram")
	b.ReportMetric(float64(int64(records)-a.Received), "lost")
	b.ReportMetric(peakMemory(b, p.cmd.Process.Pid), "peak-MB")
	b.SetBytes(bytes / int64(records))
	p.terminate()
}

// cpu is what a process has used, in its own code and in the kernel.
type cpu struct{ user, system time.Duration }

// reportCPU reports what a process has used since before, for each line: in
// all, and the kernel's part, which says more of the machine and its disk.
func reportCPU(b *testing.B, pid int, before cpu, lines int64) {
	now := cpuTime(b, pid)
	system := now.system - before.system
	all := now.user - before.user + system
	b.ReportMetric(float64(all.Nanoseconds())/1e3/float64(lines), "cpu-us/line")
	b.ReportMetric(float64(system.Nanoseconds())/1e3/float64(lines), "kernel-us/line")
}

// cpuTime is what a process has used so far, by proc_pid_stat(5).
func cpuTime(b *testing.B, pid int) cpu {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("CPU time of another process is known on Linux only")
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	const tick = 10 * time.Millisecond // 100 a second
	return cpu{user: time.Duration(user) * tick, system: time.Duration(system) * tick}
}

// peakMemory is the process's highest resident set, in MB.
func peakMemory(b *testing.B, pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	return kb / 1024
}
