package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

// TestLogPathsOfService: the service keeps the log path of who sends, and of the
// inventory's hosts that do not, in NATS; and what it learned over a restart.
func TestLogPathsOfService(t *testing.T) {
	_, vcenters := openEstate(t)
	dir := t.TempDir()
	config := testConfig(t, write(t, "vegress.yaml", vcenters), map[string]any{"data_dir": dir, "hosts.learn": "1h"})
	s := start(t, config)
	fmt.Fprintf(s.sender(), "<14>%s esx01.lab.example vobd: a line\n<14>%s other01 vobd: a line\n", time.Now().UTC().Format(stamp), time.Now().UTC().Format(stamp))
	find := func(s *service, host string) (h event.HostPath) {
		all, err := forward.HostPaths(t.Context(), s.conn)
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(all, func(h event.HostPath) bool { return h.Host == host }); i >= 0 {
			return all[i]
		}
		return h
	}
	s.eventually("log paths in the bucket", func() bool {
		return find(s, "esx01.lab.example").State == event.PathSending && find(s, "other01").Records == 1
	})
	if h := find(s, "esx01.lab.example"); h.VCenter == "" || h.LastSeen.IsZero() || h.Records != 1 {
		t.Errorf("%+v", h)
	}
	if h := find(s, "esx02.lab.example"); h.State != event.PathNever || !h.LastSeen.IsZero() {
		t.Errorf("%+v", h)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, habitsName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	again := start(t, config)
	again.eventually("what was known before", func() bool {
		h := find(again, "esx01.lab.example")
		return h.State == event.PathSending && h.Records == 0 && !h.LastSeen.IsZero()
	})
}
