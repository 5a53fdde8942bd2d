package simulator_test

import (
	"testing"

	"github.com/vmware/govmomi/vim25/mo"

	"github.com/vegress/vegress/simulator"
)

// TestEstatesShareNoSettings: one vCenter is named while another shows its
// settings; the race detector sees what they have in common.
func TestEstatesShareNoSettings(t *testing.T) {
	client := dial(t, start(t, simulator.Options{})).Client
	started := make(chan error, 1)
	go func() {
		second, err := simulator.Start(t.Context(), simulator.Options{})
		if err == nil {
			err = second.Close()
		}
		started <- err
	}()
	ref := *client.ServiceContent.Setting
	for {
		var options mo.OptionManager
		if err := mo.RetrieveProperties(t.Context(), client, client.ServiceContent.PropertyCollector, ref, &options); err != nil || len(options.Setting) == 0 {
			t.Fatal(err)
		}
		select {
		case err := <-started:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}
