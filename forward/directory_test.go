package forward_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

func TestDirectory(t *testing.T) {
	r := newRig(t, forward.Options{})
	kv, err := jetStream(t, r.nc).KeyValue(t.Context(), forward.InventoryBucket)
	if err != nil {
		t.Fatal(err)
	}
	web := &event.VM{VCenter: "vc1", InstanceUUID: "5001-a", Name: "web01", Host: "esx01", Tags: []string{"tier/web"}}
	nas := &event.VM{VCenter: "vc1", MoRef: "vm-7", Name: "nas"}
	d := directory(t, r)
	update(t, d, 2, web, nas)
	update(t, d, 0, web, nas)
	entry, err := kv.Get(t.Context(), "vc1.5001-a")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Name, Host string
		Tags       []string
	}
	if err := json.Unmarshal(entry.Value(), &got); err != nil || got.Name != "web01" || got.Tags[0] != "tier/web" {
		t.Errorf("%s: %v", entry.Value(), err)
	}
	moved := *web
	moved.Host = "esx02"
	update(t, d, 2, &moved) // nas is gone
	if _, err := kv.Get(t.Context(), "vc1.vm-7"); !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Errorf("a VM that is gone: %v", err)
	}
	// After a restart, what an earlier run wrote is brought in line too.
	update(t, directory(t, r), 2, nas)
	if _, err := kv.Get(t.Context(), "vc1.5001-a"); !errors.Is(err, jetstream.ErrKeyNotFound) {
		t.Errorf("a VM that went while the service was away: %v", err)
	}
}

func directory(t *testing.T, r *rig) *forward.Directory {
	t.Helper()
	d, err := forward.NewDirectory(t.Context(), r.nc)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func update(t *testing.T, d *forward.Directory, want int, vms ...*event.VM) {
	t.Helper()
	if got, err := d.Update(t.Context(), vms); err != nil || got != want {
		t.Errorf("%d changed, %v; want %d", got, err, want)
	}
}
