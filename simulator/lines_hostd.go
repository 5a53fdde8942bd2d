package simulator

import "fmt"

func hostdKinds() []utterance {
	return []utterance{
		{5, (*voice).hostdTask},
		{4, (*voice).hostdSession},
		{4, (*voice).hostdState},
		{3, (*voice).hostdEvent},
		{3, (*voice).hostdStats},
		{4, (*voice).hostdNFC},
		{14, (*voice).hostdTools},
		{10, (*voice).hostdSoap},
		{2, (*voice).hostdTimeout},
		{2, (*voice).hostdConnect},
	}
}

func (v *voice) hostd(level, sub, text string) message {
	m := message{pri: 166, prog: "Hostd", inner: "hostd", pid: 2098867, level: level, sub: sub, text: text}
	switch level {
	case "warning":
		m.pri = 164
	case "error":
		m.pri = 163
	case "verbose":
		m.pri = 167
	}
	if v.rng.IntN(2) == 0 {
		m.opID = pick(v, "esxui-", "HB-host-22@", "urn:vmomi-") + v.hex(4) + "-" + v.hex(4)
		m.user = pick(v, "vpxuser", "root", `vpxuser:VSPHERE.LOCAL\Administrator`, "")
	}
	return m
}

func (v *voice) hostdTask() message {
	task := "haTask-" + fmt.Sprint(v.between(1, 99)) + "-vim.VirtualMachine." + pick(v, "createSnapshot", "removeSnapshot", "reconfigure", "acquireTicket") + "-" + fmt.Sprint(v.between(1e6, 9e8))
	return v.hostd("info", "Vimsvc.TaskManager", pick(v,
		"Task Created : "+task, "Task Completed : "+task+" Status success"))
}

// hostdSession is vCenter at its hosts, by its account vpxuser and with its own
// client, or what runs on the host itself.
func (v *voice) hostdSession() message {
	agent := pick(v, "VMware-client/8.0.2", "pyvmomi Python/3.11.11 (VMkernel; 8.0.3; x86_64)", "PowerCLI/13.2.1.22851661")
	return v.hostd("info", "Vimsvc.ha-eventmgr", pick(v,
		fmt.Sprintf("Event %d : User vpxuser@%s logged in as VMware-client/%s", v.between(100, 99999), v.site.VCenterAddr, v.host.Version),
		fmt.Sprintf("Event %d : User root@127.0.0.1 logged out (login time: %s, number of API invocations: %d, user agent: %s)",
			v.between(100, 99999), v.at.UTC().Format("Monday, 02 January, 2006 03:04:05 PM"), v.between(0, 90), agent)))
}

func (v *voice) hostdState() message {
	vm := v.vm()
	return v.hostd("info", "Vmsvc.vm:"+v.vmx(vm), pick(v,
		"State Transition (VM_STATE_ON -> VM_STATE_CREATE_SNAPSHOT)",
		"State Transition (VM_STATE_CREATE_SNAPSHOT -> VM_STATE_ON)",
		"Tools are auto-upgrade capable", "Send config update invoked"))
}

func (v *voice) hostdEvent() message {
	vm := v.vm()
	return v.hostd("info", "Vimsvc.ha-eventmgr", pick(v,
		fmt.Sprintf("Event %d : %s on  %s in ha-datacenter is powered on", v.between(100, 99999), vm.Name, v.host.Name),
		fmt.Sprintf("Event %d : Guest OS reboot for %s on %s in ha-datacenter", v.between(100, 99999), vm.Name, v.host.Name),
		fmt.Sprintf("Event %d : Reconfigured %s on %s in ha-datacenter", v.between(100, 99999), vm.Name, v.host.Name)))
}

func (v *voice) hostdStats() message {
	return v.hostd(pick(v, "warning", "verbose"), "deviceStatsProvider(000000a67b8eb2f0)", pick(v,
		fmt.Sprintf("FillVirtualDeviceStats: Unable to locate sample for stat ID %d", v.rng.IntN(40)),
		"RecordOp ASSIGN: info, haTask--vim.InternalStatsCollector.queryLatestVmStats-"+fmt.Sprint(v.between(1e6, 9e8))+". Applied change to temp map."))
}

func (v *voice) hostdTools() message {
	vm := v.vm()
	return v.hostd("info", "Vmsvc.vm:"+v.vmx(vm), fmt.Sprintf(
		"Guest information changed: hostName = \"%s\", guestState = running, toolsStatus = toolsOk, toolsVersion = 12389, net = {deviceConfigId = 4000, macAddress = \"%s\", connected = true}, disks = %d, freeSpace = %d, updateCount = %d",
		vm.GuestName, vm.MAC, v.between(1, 9), v.between(1e9, 9e11), v.rng.IntN(1e6)))
}

func (v *voice) hostdSoap() message {
	return v.hostd("verbose", "SoapAdapter.HTTPService", fmt.Sprintf(
		"HTTP response sent: method = vmodl.query.PropertyCollector.retrievePropertiesEx, object = ha-property-collector, session = 52bb5d24-2497-10d0-569c-%s, duration = %d ms, objects = %d, bytes = %d, auth time = %d us, fault = (vmodl.MethodFault) null",
		v.hex(12), v.rng.IntN(900), v.between(1, 400), v.between(900, 900000), v.rng.IntN(5000)))
}

func (v *voice) hostdNFC() message {
	vm := v.vm()
	return v.hostd("info", "Libs", pick(v,
		fmt.Sprintf("[NFC INFO]Nfc sessionId = D8%s, maxMem = 262144, maxStreamingMem = 262144", v.hex(8)),
		fmt.Sprintf("DISKLIB-VMFS  : \"%s/%s/%s-flat.vmdk\" : open successful (%d) size = %d, hd = %d. Type 3",
			v.volume(), vm.Name, vm.Name, v.rng.IntN(32), v.between(1e9, 9e9), v.between(1e5, 9e6))))
}

// hostdTimeout is a message of several lines, each of which is sent as a
// record of its own.
func (v *voice) hostdTimeout() message {
	m := v.hostd("info", "Vimsvc.HTTPService.HttpConnection", "HTTP Connection has timed out while waiting for further requests; "+
		"<io_obj t:N7Vmacore6System19TCPSocketObjectAsioE, h:25, <TCP '127.0.0.1 : 8307'>, <TCP '127.0.0.1 : "+fmt.Sprint(v.between(32768, 61000))+"'>>, "+
		"N7Vmacore16TimeoutExceptionE(Operation timed out: Stream)")
	m.more = []string{"[context]zKq7AVICAgAAAB28eQEIaG9zdGQAAF5oNWxpYnZtYWNvcmUuc28A" + v.hex(16) + "[/context]"}
	if v.rng.IntN(2) == 0 {
		m.more = append([]string{"Result:", "(vmodl.fault.SystemError) {", "   reason = \"Operation timed out\",", "   msg = \"\"", "}"}, m.more...)
	}
	return m
}

// hostdConnect is a connection that failed, local end first; both are inside.
func (v *voice) hostdConnect() message {
	return v.hostd("warning", "IO.Connection", fmt.Sprintf(
		"Failed to connect; <io_obj p:0x000000%s, h:%d, <TCP '%s : %d'>, <TCP '10.0.0.50 : 443'>>, e: 111(Connection refused), duration: %dmsec",
		v.hex(10), v.rng.IntN(64), v.address(), v.between(32768, 61000), v.rng.IntN(4000)))
}
