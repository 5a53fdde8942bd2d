package simulator

import "fmt"

func vobdKinds() []utterance {
	return []utterance{{3, (*voice).vobdStorage}, {2, (*voice).vobdUplink}, {1, (*voice).vobdHA}}
}

// vob is a message of vobd: what happened, by the id of its event.
func (v *voice) vob(correlator, id, text string) message {
	m := message{
		pri: 14, prog: "vobd", pid: 2097451, plain: v.st != styleESX9,
		text: fmt.Sprintf("[%s] %dus: [%s] %s", correlator, v.at.UnixMicro()%1e13, id, text),
	}
	switch v.st {
	case styleESX7:
		m.pid, m.text = 0, " "+m.text // "vobd:" with two spaces
	case styleESX9:
		m.sd = `[esx@4413 threadName="` + correlator + `"]`
		m.text = fmt.Sprintf("%dus: [%s] %s", v.at.UnixMicro()%1e13, id, text)
	}
	return m
}

func (v *voice) vobdStorage() message {
	return v.vob("scsiCorrelator", "esx.problem.scsi.device.io.latency.high", fmt.Sprintf(
		"Device %s performance has deteriorated. I/O latency increased from average value of %d microseconds to %d microseconds.",
		v.device(), v.between(500, 3000), v.between(20000, 90000)))
}

func (v *voice) vobdUplink() message {
	nic := v.rng.IntN(4)
	return v.vob("netCorrelator", pick(v, "vob.net.vmnic.linkstate.up", "esx.clear.net.vmnic.linkstate.up"),
		fmt.Sprintf("Physical NIC vmnic%d linkstate is up", nic))
}

func (v *voice) vobdHA() message {
	return v.vob("GenericCorrelator", "vob.user.host.stats.exceeded", "Host resource usage is above its warning level; see the performance charts.")
}
