package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/simulator"
)

// TestMoveDuringAConnection: a VM moves to another host while a connection of
// it goes on. What both hosts say of it is the VM's, on the host of that time,
// the late line of the old one too; the world id that the old host says the VM
// will have is known on the new one.
func TestMoveDuringAConnection(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	s := start(t, testConfig(t, write(t, "vegress.yaml", vcenter), nil))
	vm := vmWith(t, estate.Site, "")
	from, to := hostNamed(estate.Site, vm.Host), estate.Site.Hosts[len(estate.Site.Hosts)-1]
	if from == to {
		t.Fatal("the VM is on the last host")
	}
	sender := s.sender()
	sent := 0
	say := func(at time.Time, host, program, text string) {
		fmt.Fprintf(sender, "<13>%s %s %s: %s\n", at.UTC().Format(stamp), host, program, text)
		sent++
	}
	const cpu = "cpu3:2097152)"
	connection := func(world int) string {
		return fmt.Sprintf("nic-%d-eth0-vmware-sfw.2 INET match PASS domain-c8/1005 OUT 60 TCP %%s->203.0.113.9/443 S", world)
	}
	alien := "192.168.99.9/40000" // no address of the inventory's: the world alone says who it is
	before := time.Now().Add(-time.Minute)
	say(before, from.Name, "vmkernel", cpu+"Sched: vm 2127090: 6481: Adding world 'vmm0:"+vm.Name+"', group 'host/user', cpu: shares=-3")
	say(before, from.Name, "dfwpktlogs", fmt.Sprintf(connection(2127090), alien))
	say(before, from.Name, "vmkernel", fmt.Sprintf("%sMigrate: vm 2127090: 3284: Setting VMOTION info: Source ts = 145, src ip = <%s> dest ip = <%s> Dest wid = 1830931 using SHARED swap", cpu, from.Address, to.Address))
	s.settled(int64(sent))
	if err := estate.Move(t.Context(), vm, to); err != nil {
		t.Fatal(err)
	}
	s.eventually("the inventory knows", func() bool {
		ev := event.Event{Src: event.Endpoint{IP: vm.Address}}
		s.inventory.Enrich(&ev)
		return ev.Src.Context.VM != nil && ev.Src.Context.VM.Host == to.Name
	})
	say(time.Now(), to.Name, "dfwpktlogs", fmt.Sprintf(connection(1830931), alien))
	say(before, from.Name, "dfwpktlogs", fmt.Sprintf(connection(0), fmt.Sprint(vm.Address, "/40001")))
	say(before, from.Name, "dfwpktlogs", fmt.Sprintf(connection(2127090), strings.Replace(alien, "40000", "40002", 1)))
	s.settled(int64(sent))
	s.sendLast()
	want := map[string]string{ // host and way, by line
		from.Name + " 40000": from.Name + " world", to.Name + " 40000": to.Name + " world",
		from.Name + " 40001": from.Name + " ip", from.Name + " 40002": from.Name + " world",
	}
	readBack(t, s.broker.ClientURL(), func(ev *event.Event) {
		c := &ev.Src.Context
		if ev.LogName != "dfwpktlogs" {
			return
		}
		key := fmt.Sprint(ev.Device.Hostname, " ", ev.Src.Port)
		if c.VM == nil || c.VM.InstanceUUID != vm.InstanceUUID || c.VM.Host+" "+c.Via.String() != want[key] {
			t.Errorf("%s: %+v via %s, want %s", key, c.VM, c.Via, want[key])
		}
		delete(want, key)
	})
	if len(want) > 0 {
		t.Errorf("no event for %v", want)
	}
}

func hostNamed(site *simulator.Site, name string) *simulator.Host {
	for _, h := range site.Hosts {
		if h.Name == name {
			return h
		}
	}
	return nil
}
