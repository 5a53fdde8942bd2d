package inventory_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/inventory"
)

func TestBadFiles(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = io.WriteString(w, `{"format":"vegress-inventory","version":1,"vcenters":[]}`)
	w.Close()
	tests := []struct{ name, text, want string }{
		{"empty", "", "EOF"},
		{"no json", "vms:", "invalid character"},
		{"other format", `{"format":"x","version":1,"vcenters":[]}`, `format is "x"`},
		{"other version", `{"format":"vegress-inventory","version":2,"vcenters":[]}`, "version is 2"},
		{"unknown field", `{"format":"vegress-inventory","version":1,"vcentres":[]}`, "vcentres"},
		{"bad address", `{"format":"vegress-inventory","version":1,"vcenters":[{"name":"a","vms":[{"moref":"1","name":"n","ips":[{"ip":"x"}]}]}]}`, "ParseAddr"},
		{"gzip cut off", z.String()[:z.Len()-10], "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := inventory.NewStatic(strings.NewReader(tt.text), nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			// As a snapshot it is said, and not used.
			file := filepath.Join(t.TempDir(), "snapshot")
			writeFile(t, file, tt.text)
			var log bytes.Buffer
			inv, err := inventory.New(inventory.Options{SnapshotFile: file, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil || inv == nil || !strings.Contains(log.String(), "snapshot not used") {
				t.Errorf("got %v, log %q", err, log.String())
			}
		})
	}
	if _, err := inventory.NewStatic(&z, nil); err != nil {
		t.Errorf("gzip: %v", err)
	}
}

// Times of addresses survive being written and read.
func TestExportKeepsTimes(t *testing.T) {
	inv, c := synthetic(t)
	inventory.Sync(inv, estate(5))
	start := c.t
	c.t = c.t.Add(time.Hour)
	inventory.Change(inv, modify(vmRef(1), "guest.net", guestNet(4000, "", "10.7.7.7")))
	var b bytes.Buffer
	if err := inv.Export(&b); err != nil {
		t.Fatal(err)
	}
	again, err := inventory.NewStatic(&b, nil)
	if err != nil {
		t.Fatal(err)
	}
	src := event.Endpoint{IP: netip.MustParseAddr("10.7.7.7")}
	if got := seen(again, start, src, ""); got.VM != nil {
		t.Errorf("an hour before: got %q", keyOf(got))
	}
	if got := seen(again, c.t, src, ""); keyOf(got) != vmKey(1) {
		t.Errorf("after: got %q", keyOf(got))
	}
	for _, ep := range []event.Endpoint{{MAC: mac(2)}, {VIF: "00000002"}, {VMUUID: uuid(2)}, {VMName: "vm-00002"}, {Switch: "502caabb-ccdd-eeff-0011-223344556677", SwitchPort: "2"}} {
		if got := seen(again, c.t, ep, ""); keyOf(got) != vmKey(2) {
			t.Errorf("%+v: got %q", ep, keyOf(got))
		}
	}
	if got := seen(again, c.t, event.Endpoint{IP: hostIP(0)}, ""); got.Host == nil || got.Host.Version != "8.0.3" {
		t.Errorf("host: got %+v", got.Host)
	}
	if got := seen(again, c.t, event.Endpoint{Hostname: "vc1.corp.local"}, ""); got.Host == nil || !got.Host.IsVCenter {
		t.Errorf("vcenter: got %+v", got.Host)
	}
}

// FuzzNewStatic: whatever stands in a file, reading it does not panic, and
// what is read can be written and read again.
func FuzzNewStatic(f *testing.F) {
	f.Add([]byte(`{"format":"vegress-inventory","version":1,"vcenters":[{"name":"a","host":"vc","vms":[{"name":"n","ips":[{"ip":"10.0.0.1"}],"nics":[{"mac":"00:50:56:00:00:01","vif":"x"}]}],"hosts":[{"name":"h","ips":["10.0.0.2"]}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, err := inventory.NewStatic(bytes.NewReader(data), nil)
		if err != nil {
			return
		}
		var once, twice bytes.Buffer
		if err := inv.Export(&once); err != nil {
			t.Fatal(err)
		}
		again, err := inventory.NewStatic(bytes.NewReader(once.Bytes()), nil)
		if err != nil {
			t.Fatalf("%v in %s", err, once.Bytes())
		}
		if err := again.Export(&twice); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Errorf("written twice, it differs:\n%s\n%s", once.Bytes(), twice.Bytes())
		}
	})
}

// Reading goes on, and is right, while everything is written.
func TestEnrichWhileWriting(t *testing.T) {
	inv, _ := synthetic(t, inventory.Role{Name: "a", Names: []string{"vm-*"}})
	inventory.Sync(inv, estate(200))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			var ev event.Event
			for i := g; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				ev.Src = event.Endpoint{MAC: mac(i % 100)} // these never leave
				ev.Dst = event.Endpoint{IP: ip(100 + i%100)}
				ev.Device = event.Device{Hostname: hostName(i % 6)}
				inv.Enrich(&ev)
				if keyOf(ev.Src.Context) != vmKey(i%100) {
					t.Errorf("VM %d: got %q", i%100, keyOf(ev.Src.Context))
					return
				}
			}
		})
	}
	for i := range 2000 {
		switch i % 5 {
		case 0:
			inventory.Change(inv, types.ObjectUpdate{Kind: types.ObjectUpdateKindLeave, Obj: vmRef(100 + i%100)})
		case 1:
			inventory.Change(inv, vmUpdate(100+i%100, i%6))
		case 2:
			inventory.Change(inv, modify(vmRef(i%100), "guest.net", guestNet(4000, "", ip(i).String())))
		case 3:
			inventory.Change(inv, modify(inventory.Ref("HostSystem", i%6), "runtime.inMaintenanceMode", i%2 == 0))
		default:
			inventory.Tick(inv)
			_ = inv.Stats()
		}
	}
	close(stop)
	wg.Wait()
}

func TestMissingRightIsReported(t *testing.T) {
	inv, _ := synthetic(t)
	up := estate(3)
	up[len(up)-1].MissingSet = []types.MissingProperty{{Path: "config", Fault: types.LocalizedMethodFault{Fault: &types.NoPermission{PrivilegeId: "System.Read"}}}}
	inventory.Sync(inv, up)
	st := inv.Stats().VCenters[0]
	if len(st.MissingPrivileges) != 1 || !strings.Contains(st.MissingPrivileges[0], "System.Read on HostSystem HostSystem-0 (config)") {
		t.Errorf("got %q", st.MissingPrivileges)
	}
}

func TestOptionsValidate(t *testing.T) {
	good := func() inventory.Options {
		v := inventory.VCenter{}
		v.Name, v.URL, v.Username = "vc1", "https://vc1/sdk", "u"
		return inventory.Options{VCenters: []inventory.VCenter{v}}
	}
	tests := []struct {
		name  string
		alter func(*inventory.Options)
		want  string
	}{
		{"good", func(*inventory.Options) {}, ""},
		{"fast tags", func(o *inventory.Options) { o.VCenters[0].TagPoll = time.Second }, "tag_poll 1s"},
		{"twice", func(o *inventory.Options) { o.VCenters = append(o.VCenters, o.VCenters[0]) }, "used twice"},
		{"bad url", func(o *inventory.Options) { o.VCenters[0].URL = "vc1" }, `url "vc1"`},
		{"bad role", func(o *inventory.Options) { o.Roles = []inventory.Role{{Name: "x"}} }, `role "x"`},
		{"negative", func(o *inventory.Options) { o.Retention = -1 }, "negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("VEGRESS_VCENTER_VC1_PASSWORD", "not used")
			o := good()
			tt.alter(&o)
			_, err := inventory.New(o)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// A snapshot replaces the old one as a whole and leaves nothing beside it.
func TestSnapshotDirectoryStaysClean(t *testing.T) {
	v := startVCSim(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "inventory.json.gz")
	writeFile(t, file, "old")
	r := run(t, inventory.Options{VCenters: []inventory.VCenter{v.vcenter("vc1")}, SnapshotFile: file})
	r.ready()
	r.stop()
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 {
		t.Fatalf("got %v, %v, want the snapshot alone", list, err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := inventory.NewStatic(f, nil); err != nil {
		t.Error(err)
	}
}
