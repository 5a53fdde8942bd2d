package esxi_test

import (
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
	"github.com/vegress/vegress/vsphere/esxi"
)

// TestWorlds: the world ids that lines name, with what they say of the VM. What
// ran on the CPU is nobody's world.
func TestWorlds(t *testing.T) {
	const host = "2026-11-22T06:00:00.001Z esx01.example.com "
	tests := []struct{ line, world, vm, to string }{
		{"<182>" + host + "vmkernel: cpu3:2097152)Sched: vm 2127090: 6481: Adding world 'vmm0:web 01', group 'host/user', cpu: shares=-3", "2127090", "web 01", ""},
		{"<182>" + host + "vmkernel: cpu3:2097152)World: vm 2127090: 1677: Starting world vmm0:web 01 of type 8", "2127090", "web 01", ""},
		{"<182>" + host + "vmkernel: cpu7:2127094)VSCSIFs: 4390: handle 91(GID:8214)(vscsi0:2):Invalid Opcode (0xa3) from (vmm0:testvm02)", "", "testvm02", ""},
		{"<182>" + host + "vmkernel: cpu7:2127094)ScsiDeviceIO: 4176: Cmd(0x45b9) 0x85, CmdSN 0x1 from world 2127090 to dev \"naa.6\" failed H:0x0", "2127090", "", ""},
		{"<182>" + host + "vmkernel: cpu4:2758489)Migrate: vm 2758492: 3284: Setting VMOTION info: Source ts = 145, src ip = <192.0.2.11> dest ip = <192.0.2.12> Dest wid = 1830931 using SHARED swap", "2758492", "", "1830931"},
		{"<182>" + host + "vmkernel: cpu4:2758489 opID=d5991c6f)Migrate: 314: vmotion: Source vmmLeaderID = 2118927, ts = 718, srcIP = <192.0.2.11> dstIP = <192.0.2.12> Dest wid = 2109446 using SHARED swap, encrypted", "2118927", "", "2109446"},
		{"<182>" + host + "vmkernel: cpu4:2758489)Migrate: vm 1830931: 3284: Setting VMOTION info: Dest ts = 145, src ip = <192.0.2.11> dest ip = <192.0.2.12> Dest wid = 0 using SHARED swap", "", "", ""},
		{"<13>" + host + "dfwpktlogs: nic-2127090-eth0-vmware-sfw.2 INET match PASS domain-c8/1005 OUT 60 TCP 10.1.2.3/33491->203.0.113.9/443 S", "2127090", "", ""},
		{"<166>" + host + "Hostd: info hostd[2098867] [Originator@6876 sub=Vmsvc.vm:/vmfs/volumes/63/web/web.vmx] World ID set to 2127090", "2127090", "/vmfs/volumes/63/web/web.vmx", ""},
		{"<14>" + host + "vobd:  [vmfsCorrelator] 73154456us: [vob.scsi.x] something of world 2127090 failed", "2127090", "", ""},
	}
	decoder := vsphere.NewDecoder(vsphere.Programs(esxi.Recognizers()), vsphere.Options{})
	for _, tt := range tests {
		var p syslog.Parser
		var m syslog.Message
		p.Reference = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)
		p.Parse(tt.line, &m)
		m.Received = p.Reference
		var ev event.Event
		decoder.Decode(&m, &ev)
		if ev.Src.World != tt.world || ev.Src.VMName != tt.vm || ev.Dst.World != tt.to {
			t.Errorf("%s:\n%q of %q, to %q; want %q, %q, %q", tt.line, ev.Src.World, ev.Src.VMName, ev.Dst.World, tt.world, tt.vm, tt.to)
		}
	}
}
