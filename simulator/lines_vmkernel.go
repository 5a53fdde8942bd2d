package simulator

import "fmt"

func vmkernelKinds() []utterance {
	return []utterance{
		{6, (*voice).kernelWorld},
		{6, (*voice).kernelScsi},
		{4, (*voice).kernelPort},
		{14, (*voice).kernelHeartbeat},
		{4, (*voice).kernelVscsi},
		{2, (*voice).kernelMigrate},
		{2, (*voice).kernelNFS},
		{2, (*voice).kernelDriver},
		{1, (*voice).kernelISCSI},
		{2, (*voice).kernelWarning},
	}
}

// kernel is a vmkernel message: "cpuN:WORLD opID=X)text".
func (v *voice) kernel(text string) message {
	op := ""
	if v.rng.IntN(3) == 0 {
		op = " opID=" + v.hex(8)
	}
	m := message{pri: 182, prog: "vmkernel", plain: v.st != styleESX9}
	m.text = fmt.Sprintf("cpu%d:%d%s)%s", v.rng.IntN(64), v.between(2097152, 2130000), op, text)
	return m
}

func (v *voice) kernelWorld() message {
	op := v.hex(8)
	m := v.kernel("")
	m.text = fmt.Sprintf("cpu%d:%d opID=%s)World: 12075: VC opID %s-%s-%s maps to vmkernel opID %s",
		v.rng.IntN(64), v.between(2097152, 2130000), op, pick(v, "esxui", "HB-host-22", "SWI"), v.hex(4), v.hex(4), op)
	return m
}

func (v *voice) kernelScsi() message {
	return v.kernel(fmt.Sprintf(`ScsiDeviceIO: 4176: Cmd(0x45b9%s) 0x%s, CmdSN 0x%s from world %d to dev "%s" failed H:0x0 D:0x2 P:0x0 Valid sense data: 0x5 0x24 0x0`,
		v.hex(8), pick(v, "85", "1a", "4d", "9e"), v.hex(4), v.between(2097152, 2130000), v.device()))
}

func (v *voice) kernelHeartbeat() message {
	return v.kernel(fmt.Sprintf("HBX: 3040: '%s': HB at offset %d - Reclaimed heartbeat after %d ms, [HB state abcdef02 offset %d gen %d stampUS %d uuid 6398%s-%s-5a60-5c6f69e18ad0 jrnl <FB %d> drv 24.82 lockImpl 4], lock [type 10c00002 offset %d v %d, hb offset %d] on device %s:1",
		pick(v, "LocalDS_0", "nfs-backup", "gold-01"), v.between(3e6, 4e6), v.between(10, 900), v.between(3e6, 4e6), v.between(1, 99), v.between(1e6, 9e8),
		v.hex(4), v.hex(8), v.between(1e5, 9e6), v.between(1e6, 9e7), v.between(1, 999), v.between(3e6, 4e6), v.device()))
}

func (v *voice) kernelPort() message {
	vm := v.vm()
	port := 0x3000000 + v.rng.IntN(4096)
	return v.kernel(pick(v,
		fmt.Sprintf("NetPort: 3101: enabled port 0x%x with mac %s", port, vm.MAC),
		fmt.Sprintf("NetPort: 3206: disabled port 0x%x", port),
		fmt.Sprintf("Net: 2527: connected %s eth0 to VM Network, portID 0x%x", vm.Name, port),
		fmt.Sprintf("Uplink: 12269: The default queue id for vmnic%d is 0x4000.", v.rng.IntN(4))))
}

func (v *voice) kernelVscsi() message {
	vm := v.vm()
	return v.kernel(pick(v,
		fmt.Sprintf("VSCSI: 5253: handle 9135781989%s(GID:%d)(vscsi0:0):Creating Virtual Device for world %d (FSS handle %d) numBlocks=%d (bs=512)",
			v.hex(6), v.rng.IntN(9999), v.between(2097152, 2130000), v.between(1e6, 9e6), v.between(1e6, 9e8)),
		fmt.Sprintf("VSCSI: 2623: handle 9135781989%s(GID:%d)(vscsi0:0):Destroying Device for world %d (pendCom 0)",
			v.hex(6), v.rng.IntN(9999), v.between(2097152, 2130000)),
		fmt.Sprintf("Sched: vm %d: 6481: Adding world 'vmm0:%s', group 'host/user', cpu: shares=-3 min=0 minLimit=-1 max=-1, mem: shares=-3 min=0 minLimit=-1 max=-1",
			v.between(2097152, 2130000), vm.Name)))
}

func (v *voice) kernelMigrate() message {
	ts := v.between(1e9, 2e9)
	return v.kernel(pick(v,
		fmt.Sprintf("Migrate: vm %d: 4039: Setting VMOTION info: Dest ts = %d, src ip = <%s> dest ip = <10.0.1.200> Dest wid = %d using SHARED swap, unencrypted",
			v.between(2097152, 2130000), ts, v.address(), v.between(2097152, 2130000)),
		fmt.Sprintf("VMotionUtil: 7560: %d S: Stream connection 1 added.", ts)))
}

func (v *voice) kernelNFS() message {
	return v.kernel(fmt.Sprintf("NFS: 5506: NFS volume nfs-%s performance has improved. I/O latency reduced from %d(us) to %d(us).",
		pick(v, "iso", "backup", "templates"), v.between(20000, 90000), v.between(1000, 20000)))
}

func (v *voice) kernelDriver() message {
	return v.kernel(pick(v,
		fmt.Sprintf("<6>igb: vmnic%d NIC Link is Up 1000 Mbps Full Duplex", v.rng.IntN(4)),
		fmt.Sprintf("INFO (ne1000): vmnic%d: Link is Up", v.rng.IntN(4)),
		"nvme: NVMEIO:3655 SQ 4 depth is back below its warning threshold"))
}

// kernelISCSI names both ends of a connection; they are inside.
func (v *voice) kernelISCSI() message {
	return v.kernel(fmt.Sprintf("iscsi_vmk: iscsivmk_ConnNetRegister:1962: socket 0x430%s network resource pool netsched.pools.persist.iscsi associated: Conn [CID: 0 L: %s:%d R: 10.0.0.50:3260]",
		v.hex(9), v.address(), v.between(32768, 61000)))
}

// kernelWarning is said twice by a host: in vmkernel and in vmkwarning.
func (v *voice) kernelWarning() message {
	m := v.kernel("WARNING: " + pick(v,
		fmt.Sprintf("NFS: 5575: NFS volume nfs-backup average I/O latency %d(us) has exceeded threshold 10000(us) for last 10 minutes", v.between(10001, 90000)),
		fmt.Sprintf(`NMP: nmp_DeviceRequestFastDeviceProbe:237: NMP device "%s" state in doubt; requested fast path state update...`, v.device()),
		"Heap: 2525: Heap vmfs3 already at its maximum size. Cannot expand."))
	m.pri, m.prog = 180, "vmkwarning"
	return m
}
