package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/vegress/vegress/configs"
)

// asCommand makes this test binary the vegress command, for tests that need a
// process of its own; with the value stalledStore it is "vegress run" with a
// store that acknowledges nothing.
const (
	asCommand    = "VEGRESS_TEST_AS_COMMAND"
	stalledStore = "stalled"
)

func TestMain(m *testing.M) {
	if os.Getenv(asDiscard) != "" {
		discard()
	}
	if role := os.Getenv(asCommand); role != "" {
		stopProfile := profileCommand()
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		context.AfterFunc(ctx, stop)
		run := Main
		if role == stalledStore {
			run = runStalled
		}
		code := run(ctx, os.Args[1:], Streams{os.Stdin, os.Stdout, os.Stderr})
		stopProfile()
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// profileCommand writes a CPU profile of the command to the file that
// VEGRESS_TEST_CPUPROFILE names: where a benchmark's time goes.
func profileCommand() (stop func()) {
	name := os.Getenv("VEGRESS_TEST_CPUPROFILE")
	if name == "" {
		return func() {}
	}
	file, err := os.Create(name)
	if err != nil {
		panic(err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		panic(err)
	}
	return pprof.StopCPUProfile
}

// outcome is what a command printed and how it ended.
type outcome struct {
	out, err string
	code     int
}

// command runs the command line in process.
func command(t *testing.T, args ...string) outcome {
	t.Helper()
	var out, err lockedBuffer
	code := Main(t.Context(), args, Streams{strings.NewReader(""), &out, &err})
	return outcome{out.String(), err.String(), code}
}

// lockedBuffer takes writes of several goroutines.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// write makes a file in a folder of the test's own.
func write(t testing.TB, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// testConfig is a service on free loopback ports.
func testConfig(t *testing.T, file string, overrides map[string]any) configs.Config {
	t.Helper()
	all := map[string]any{
		"data_dir":       t.TempDir(),
		"collector":      "test",
		"listen.syslog":  []string{"tcp://127.0.0.1:0"},
		"listen.http":    "127.0.0.1:0",
		"forward.listen": "127.0.0.1:0",
	}
	for key, value := range overrides {
		all[key] = value
	}
	config, err := configs.Load(file, all)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// service is a running App.
type service struct {
	*App
	t    *testing.T
	stop func() error
}

// start runs a service until the test ends.
func start(t *testing.T, config configs.Config) *service {
	t.Helper()
	return startWith(t, Options{Config: config})
}

// startWith is start with more options than a configuration.
func startWith(t *testing.T, o Options) *service {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	a, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	s := &service{App: a, t: t}
	s.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	s.eventually("ready", func() bool { return a.health.ready.Load() })
	return s
}

// eventually polls until the condition holds; a test waits for what happens,
// not for a time.
func (s *service) eventually(what string, holds func() bool) {
	s.t.Helper()
	eventually(s.t, what, holds)
}

// patience is how long a test waits for what must happen. Only a test that
// fails waits so long, and a busy machine with the race detector needs a lot.
const patience = 3 * time.Minute

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// settled waits until n records were received and are all accounted for.
func (s *service) settled(n int64) account {
	s.t.Helper()
	s.eventually("all records accounted for", func() bool {
		a := s.account()
		return a.Received >= n && a.InFlight == 0
	})
	return s.account()
}

// sender dials the service's first listener.
func (s *service) sender() net.Conn {
	s.t.Helper()
	addr := s.server.Addrs()[0]
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimSpace(p))
	return len(p), nil
}

// objects splits NDJSON.
func objects(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	for {
		var one map[string]any
		err := d.Decode(&one)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}
