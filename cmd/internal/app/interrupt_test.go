package app

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestInterrupt: Ctrl-C ends a command at once, whatever it waits for.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	stdin, never := io.Pipe() // nobody closes it
	defer never.Close()
	long := write(t, "long.log", strings.Repeat("<14>2026-11-22T06:00:01.000Z esx01 vobd: something\n", 2*reach))
	for name, tt := range map[string]struct {
		args []string
		code int
		err  string
	}{
		"replay waits for its input":      {[]string{"replay", long, "-"}, exitFailed, "vegress: interrupted\n"},
		"simulate waits for a collector":  {[]string{"simulate", "--target", "tcp://127.0.0.1:1"}, exitFailed, "nobody takes lines"},
		"demo is in the middle of things": {[]string{"demo", "--for", "10m"}, exitFailed, "vegress: interrupted\n"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			in := &asked{Reader: stdin, first: cancel} // all before it is read
			if !strings.HasPrefix(name, "replay") {
				time.AfterFunc(500*time.Millisecond, cancel)
			}
			var out, errs safeBuilder
			began := time.Now()
			code := Main(ctx, tt.args, Streams{In: in, Out: &out, Err: &errs})
			if took := time.Since(began); code != tt.code || !strings.Contains(errs.String(), tt.err) || took > patience {
				t.Errorf("exit code %d after %s, %q; want %d, %q", code, took, errs.String(), tt.code, tt.err)
			}
			if text := out.String(); strings.HasPrefix(name, "replay") && !strings.HasSuffix(text, "}\n") {
				t.Errorf("what came first is not written, or not whole: %q", text)
			}
		})
	}
}

// asked is standard input that tells when it is read first.
type asked struct {
	io.Reader
	first func()
	once  sync.Once
}

func (a *asked) Read(p []byte) (int, error) {
	a.once.Do(a.first)
	return a.Reader.Read(p)
}

// TestNobodyReads: a demo whose output is closed ends, quietly, and leaves
// nothing behind.
func TestNobodyReads(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var errs safeBuilder
	code := Main(t.Context(), []string{"demo", "--for", "10m"}, Streams{Out: closedPipe{}, Err: &errs})
	left, err := os.ReadDir(os.TempDir())
	if code != exitFailed || errs.String() != "" || err != nil || len(left) > 0 {
		t.Errorf("exit code %d, %q, left %v, %v", code, errs.String(), left, err)
	}
}

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// safeBuilder is a strings.Builder that goroutines may share.
type safeBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuilder) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuilder) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
