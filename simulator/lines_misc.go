package simulator

import "fmt"

func miscKinds() []utterance {
	return []utterance{
		{3, (*voice).fdm},
		{3, (*voice).crond},
		{2, (*voice).storageRM},
		{2, (*voice).vsan},
		{2, (*voice).nsxAgent},
		{1, (*voice).lifecycle},
		{1, (*voice).iscsid},
	}
}

func (v *voice) fdm() message {
	vm := v.vm()
	m := message{pri: 166, prog: "Fdm", inner: "fdm", pid: 2100412, level: "verbose", sub: "Invt", opID: "SWI-" + v.hex(8)}
	m.text = fmt.Sprintf("Healthstatus of VM %s on live hostId host-%d : true", v.vmx(vm), v.between(10, 99))
	return m
}

func (v *voice) crond() message {
	return message{
		pri: 78, prog: "crond", pid: 2098597, plain: v.st != styleESX9,
		text: fmt.Sprintf("USER root pid %d cmd /bin/hostd-probe.sh ++group=host/vim/vmvisor/hostd-probe/stats/sh", v.between(2e6, 3e6)),
	}
}

func (v *voice) storageRM() message {
	return message{
		pri: 14, prog: "storageRM", plain: v.st != styleESX9,
		text: fmt.Sprintf("Throttle: %d, latency %d.%d us, queue depth 64 on datastore nfs-backup", v.rng.IntN(9), v.between(900, 9000), v.rng.IntN(99)),
	}
}

func (v *voice) vsan() message {
	m := message{pri: 166, prog: "vsansystem", inner: "vsansystem", pid: 2100777, level: "info", sub: "Libs", opID: "vsan-" + v.hex(4)}
	m.text = "VsanConfigStore: Get object host from vsan"
	return m
}

// nsxAgent has structured data of its own, in every release.
func (v *voice) nsxAgent() message {
	return message{
		pri: 182, prog: "nsx-opsagent", pid: 2101378,
		sd:   `[nsx@6876 comp="nsx-esx" subcomp="opsagent" tid="2101390" level="INFO"]`,
		text: fmt.Sprintf("[PortOp] Port [%s] state is up on switch DVS0", v.hex(8)+"-"+v.hex(4)),
	}
}

func (v *voice) iscsid() message {
	return message{
		pri: 30, prog: "iscsid", plain: v.st != styleESX9,
		text: fmt.Sprintf("connection1:0 is operational after recovery (%d attempts) (ifname=default addr=10.0.0.50:3260 state=3)", v.between(1, 9)),
	}
}
