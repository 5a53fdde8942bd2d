package simulator

import "fmt"

// rhttpproxy is what stands before hostd and vpxa up to ESXi 7; since then
// envoy does.
func (v *voice) rhttpproxy() message {
	m := message{
		pri: 167, prog: "Rhttpproxy", inner: "rhttpproxy", pid: 2099567, level: "verbose",
		sub: fmt.Sprintf("Proxy Req %05d", v.rng.IntN(99999)),
	}
	m.text = pick(v,
		fmt.Sprintf("Resolved endpoint : [N7Vmacore4Http16LocalServiceSpecE:0x%s] _serverNamespace = %s action = Allow _port = %d",
			"000000"+v.hex(10), pick(v, "/sdk", "/vpxa", "/"), pick(v, 8307, 8089, 8309)),
		fmt.Sprintf("New proxy client <io_obj p:0x000000%s, h:%d, <TCP '%s : 443'>, <TCP '%s : %d'>>",
			v.hex(10), v.rng.IntN(64), v.address(), v.site.VCenterAddr, v.between(32768, 61000)),
		fmt.Sprintf("Connected to localhost:8307 (/sdk) over <io_obj p:0x000000%s, h:%d, <TCP '127.0.0.1 : %d'>, <TCP '127.0.0.1 : 8307'>>",
			v.hex(10), v.rng.IntN(64), v.between(32768, 61000)))
	return m
}

// envoy is an access line: who called, and what became of it. The caller is
// inside.
func (v *voice) envoy() message {
	client := pick(v, v.site.VCenterAddr.String(), adminAddress, "10.9.0.23")
	port := v.between(32768, 61000)
	access := fmt.Sprintf("%s %s %s HTTP/%s %d via_upstream - %d %d %d %d 0 %s:%d %s:443 127.0.0.1:%d 127.0.0.1:%d",
		v.at.UTC().Format(millis), pick(v, "POST", "GET"), pick(v, "/sdk", "/sdk/vimService", "/ui/app/summary", "/api/session", "/hgw/host-22/vpxa"),
		pick(v, "1.1", "2"), pick(v, 200, 200, 200, 401), v.rng.IntN(9000), v.rng.IntN(90000), v.rng.IntN(900), v.rng.IntN(900),
		client, port, v.address(), v.between(32768, 61000), pick(v, 8307, 8085, 5090))
	m := message{pri: 166, prog: "envoy-access", inner: "envoy", pid: 2098977, level: "info", sub: "Default", text: access}
	if v.st == styleVCSA {
		m.pri, m.prog, m.pid = 14, "envoy-main", 3521
		m.text = fmt.Sprintf("%s info envoy[3521] [Originator@6876 sub=Default] %s", v.at.UTC().Format(millis), access)
	}
	return m
}

// frontKinds are the lines of whatever stands before the host's services.
func frontKinds(st style) []utterance {
	if st == styleESX7 {
		return []utterance{{1, (*voice).rhttpproxy}}
	}
	return []utterance{{1, (*voice).envoy}}
}
