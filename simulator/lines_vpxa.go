package simulator

import "fmt"

func vpxaKinds() []utterance {
	return []utterance{{5, (*voice).vpxaLRO}, {2, (*voice).vpxaInventory}, {8, (*voice).vpxaChanges}, {1, (*voice).vpxaSlow}, {1, (*voice).vpxaHTTP}}
}

func (v *voice) vpxa(level, sub, text string) message {
	m := message{pri: 166, prog: "Vpxa", inner: "vpxa", pid: 2099102, level: level, sub: sub, text: text}
	m.opID = pick(v, "HB-host-22@", "PollQuickStatsLoop-", "WFU-") + v.hex(8)
	return m
}

func (v *voice) vpxaLRO() message {
	lro := v.between(1000, 999999)
	return v.vpxa("info", "vpxLro", pick(v,
		fmt.Sprintf("[VpxLRO] -- BEGIN lro-%d -- vpxa -- vpxapi.VpxaService.%s -- 52bb5d24-2497-10d0-569c-%s", lro, pick(v, "fetchQuickStats", "getChanges", "retrieveContents"), v.hex(12)),
		fmt.Sprintf("[VpxLRO] -- FINISH lro-%d", lro)))
}

func (v *voice) vpxaInventory() message {
	return v.vpxa("verbose", "vpxaInvtHost", fmt.Sprintf("Increment master gen. no to (%d): VirtualMachine:VpxaInvtVmListener::%s", v.between(100, 99999), pick(v, "ConfigChanged", "RuntimeChanged", "GuestChanged")))
}

func (v *voice) vpxaChanges() message {
	vm := v.vm()
	return v.vpxa("verbose", "vpxaInvtVm", fmt.Sprintf(
		"Queued change of VM %s (vpxaId %d, instanceUuid %s): runtime.powerState = poweredOn, guest.toolsRunningStatus = guestToolsRunning, summary.quickStats.hostMemoryUsage = %d, summary.quickStats.overallCpuUsage = %d, generation = %d",
		vm.Name, v.between(1, 400), vm.InstanceUUID, v.between(100, 64000), v.between(10, 9000), v.between(1000, 99999)))
}

func (v *voice) vpxaSlow() message {
	return v.vpxa("warning", "VpxProfiler", fmt.Sprintf("InvokeWithOpId [TotalTime] took %d ms", v.between(1000, 9000)))
}

func (v *voice) vpxaHTTP() message {
	return v.vpxa("info", "Http2ServerSession-4", fmt.Sprintf("Starting Http2Session (server): <io_obj t:N7Vmacore6System19TCPSocketObjectAsioE, h:25, <TCP '127.0.0.1 : 8089'>, <TCP '127.0.0.1 : %d'>>", v.between(32768, 61000)))
}
