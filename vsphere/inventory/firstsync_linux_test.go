package inventory_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vegress/vegress/vsphere/inventory"
	vsession "github.com/vegress/vegress/vsphere/session"
)

// BenchmarkFirstSync reads a vCenter of n VMs whole, over TLS, as a start does:
// CPU time is that of this process alone. vcsim's VMs are small, about 8.5 KB
// of XML; real ones have more devices.
func BenchmarkFirstSync(b *testing.B) {
	for _, n := range []int{1000, 10_000, 40_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			opts := inventory.Options{VCenters: []inventory.VCenter{startVCenter(b, n)}}
			var heap uint64
			var cpu time.Duration
			for b.Loop() {
				before := cpuTime(b)
				inv, err := inventory.Collect(context.Background(), opts)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				cpu += cpuTime(b) - before
				if got := len(inv.VMs()); got != n {
					b.Fatalf("%d VMs, want %d", got, n)
				}
				heap = heapOf(&inv, n)
				b.StartTimer()
			}
			b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/sync")
			b.ReportMetric(float64(heap)/float64(n), "heap-B/VM")
			b.ReportMetric(float64(peakMemory(b))/1e6, "peak-MB")
		})
	}
}

func startVCenter(b *testing.B, n int) inventory.VCenter {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", asVCenter, n))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	address, ca, _ := strings.Cut(strings.TrimSpace(line), " ")
	pass := filepath.Join(b.TempDir(), "password")
	if err := os.WriteFile(pass, []byte(password), 0o600); err != nil {
		b.Fatal(err)
	}
	return inventory.VCenter{Options: vsession.Options{Name: "vc1", URL: address, Username: user, PasswordFile: pass, CAFile: ca}}
}

func usageOf(b *testing.B) syscall.Rusage {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

func cpuTime(b *testing.B) time.Duration {
	u := usageOf(b)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory is the most that this process had in memory, in bytes.
func peakMemory(b *testing.B) int64 { return usageOf(b).Maxrss << 10 }
