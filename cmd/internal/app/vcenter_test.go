package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vegress/vegress/event"
)

// TestVCenterAway: a VM's firewall line gets the VM, its host and its role,
// also when the vCenter has gone, and also after a restart without it.
func TestVCenterAway(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	vm := vmWith(t, estate.Site, "backup")
	config := testConfig(t, write(t, "vegress.yaml", vcenter+estate.Site.Config()), nil)
	s := start(t, config)
	var events []*event.Event
	see := func(port int) {
		before := s.account().Received
		fmt.Fprintln(s.sender(), flow(vm, port, "203.0.113.9/443"))
		s.settled(before + 1)
	}
	state := func() event.State { return s.inventory.Stats().VCenters[0].State }

	see(40000)
	if state() != event.StateLive {
		t.Errorf("state with the vCenter: %s", state())
	}
	if err := estate.Close(); err != nil {
		t.Fatal(err)
	}
	s.eventually("the vCenter noticed away", func() bool { return !s.inventory.Stats().VCenters[0].Connected })
	see(40001)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(config.DataDir, snapshotName)); err != nil {
		t.Fatal(err)
	}

	s = start(t, config)
	if state() != event.StateStale {
		t.Errorf("state after a restart without the vCenter: %s", state())
	}
	see(40002)
	s.sendLast()
	readBack(t, s.broker.ClientURL(), func(ev *event.Event) { one := *ev; events = append(events, &one) })
	if len(events) != 3 {
		t.Fatalf("%d events, want 3", len(events))
	}
	for _, ev := range events {
		known := ev.Src.Context.VM
		if known == nil || known.Name != vm.Name || known.InstanceUUID != vm.InstanceUUID || known.Host != vm.Host ||
			!slices.Equal(known.Roles, []string{"backup"}) {
			t.Errorf("port %d: %+v, want VM %s on %s with role backup", ev.Src.Port, known, vm.Name, vm.Host)
		}
		if ev.Justification.Reason == event.ReasonNoVM || ev.Justification.Verdict == event.VerdictNone {
			t.Errorf("port %d: judged %s, %s", ev.Src.Port, ev.Justification.Verdict, ev.Justification.Reason)
		}
	}
}
