package simulator_test

import (
	"sync"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/mo"

	"github.com/vegress/vegress/simulator"
)

// TestEstatesShareNoSettings: one vCenter is named while another shows its
// settings; the race detector sees what they have in common.
func TestEstatesShareNoSettings(t *testing.T) {
	client := dial(t, start(t, simulator.Options{})).Client
	var wg sync.WaitGroup
	wg.Go(func() {
		second, err := simulator.Start(t.Context(), simulator.Options{})
		if err != nil {
			t.Error(err)
			return
		}
		second.Close()
	})
	for range 20 {
		var options mo.OptionManager
		ref := object.NewOptionManager(client, *client.ServiceContent.Setting).Reference()
		if err := mo.RetrieveProperties(t.Context(), client, client.ServiceContent.PropertyCollector, ref, &options); err != nil || len(options.Setting) == 0 {
			t.Fatal(err)
		}
	}
	wg.Wait()
}
