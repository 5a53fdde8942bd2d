package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

// TestOneVCenterRefuses: where one of two vCenters refuses the login of a
// fresh installation, the service serves the other, and says so where people
// and programs look.
func TestOneVCenterRefuses(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	good := strings.TrimSuffix(strings.TrimPrefix(vcenter, "vcenters: ["), "]\n")
	bad := strings.Replace(good, estate.Username(), "nobody", 1)
	bad = strings.Replace(bad, "{name: "+good[len("{name: "):strings.Index(good, ",")], "{name: locked", 1)
	config := testConfig(t, write(t, "vegress.yaml", fmt.Sprintf("vcenters: [%s, %s]\n%s", good, bad, estate.Site.Config())), nil)
	s := start(t, config)
	state := func() map[string]event.State {
		all := map[string]event.State{}
		for _, v := range s.inventory.Stats().VCenters {
			all[v.Name] = v.State
		}
		return all
	}()
	if state["locked"] != event.StateNever || len(state) != 2 {
		t.Errorf("states %v", state)
	}
	vm := vmWith(t, estate.Site, "backup")
	fmt.Fprintln(s.sender(), flow(vm, 40000, "203.0.113.9/443"))
	s.settled(1)
	if n := s.inventory.Stats().Hits; len(n) == 0 {
		t.Errorf("VMs of the other vCenter are not known: %v", n)
	}

	for _, path := range []string{"/healthz", "/readyz"} {
		resp, err := http.Get("http://" + s.adminAddr() + path)
		if err != nil {
			t.Fatal(err)
		}
		var body struct {
			Status   string
			Warnings []string
		}
		err = json.NewDecoder(resp.Body).Decode(&body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || body.Status != "degraded" || len(body.Warnings) != 1 ||
			!strings.Contains(body.Warnings[0], `"locked"`) || !strings.Contains(body.Warnings[0], "user name or password refused") {
			t.Errorf("%s: %d %+v %v", path, resp.StatusCode, body, err)
		}
	}
	js, err := jetstream.New(s.conn)
	if err != nil {
		t.Fatal(err)
	}
	s.eventually("the bucket of VMs holds those of the other vCenter", func() bool {
		kv, err := js.KeyValue(t.Context(), forward.InventoryBucket)
		if err != nil {
			return false
		}
		status, err := kv.Status(t.Context())
		return err == nil && status.Values() >= uint64(len(estate.Site.VMs))
	})
}

// TestAllVCentersRefuse: with no other vCenter, the start ends in one line.
func TestAllVCentersRefuse(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	bad := strings.Replace(vcenter, estate.Username(), "nobody", 1)
	file := write(t, "vegress.yaml", bad+"data_dir: "+filepath.Join(t.TempDir(), "data")+
		"\nlisten: {http: \"\", syslog: [\"tcp://127.0.0.1:0\"]}\nforward: {listen: \"\"}\n")
	var out, errs strings.Builder
	code := Main(t.Context(), []string{"run", "--config", file}, Streams{Out: &out, Err: &errs})
	if code != exitUsage || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), "user name or password refused") || out.Len() > 0 {
		t.Errorf("exit code %d, %q, %q", code, errs.String(), out.String())
	}
}
