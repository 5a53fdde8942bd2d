package esxi

import (
	"net/netip"
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

var (
	fieldWorld      = event.Intern("world")
	fieldPort       = event.Intern("port")
	fieldMAC        = event.Intern("mac")
	fieldClient     = event.Intern("client")
	fieldGateway    = event.Intern("gateway")
	fieldNetmask    = event.Intern("netmask")
	fieldRoute      = event.Intern("route")
	fieldPath       = event.Intern("path")
	fieldVCOpID     = event.Intern("vc_opid")
	fieldMountPoint = event.Intern("mount_point")
)

// vmkernel recognizes the kernel's lines, of vmkernel and vmkwarning:
//
//	cpu12:2097677 opID=936118c3)WARNING: NFS: 5575: text
//
// in ESX 3.5 to 4.1 behind an uptime (7:21:06:14.107). The kernel logs no
// connection of a guest or an agent; what it does name are its own: iSCSI,
// NFS, vMotion, routes, and ports with their MAC addresses.
func vmkernel(m *syslog.Message, ev *event.Event) bool {
	text := strings.TrimLeft(m.Text, " ")
	text, known := kernelPrefix(skipUptime(text), ev)
	text, level := kernelLevel(text, ev)
	module, body := kernelModule(text)
	if !known && !level && module == "" {
		return false
	}
	vsphere.AddIf(ev, vsphere.FieldModule, module)
	ev.Message = text
	if !kernelFacts(module, body, ev) {
		if port := findPort(body); port != "" {
			ev.Src.SwitchPort = port
			ev.Add(fieldPort, port)
		}
		hardware(body, ev)
		vsphere.Fallback(body, ev)
	}
	kernelVMWorld(body, ev)
	return true
}

// kernelVMWorld adds the world id that a line is about, which may be a VM's:
// "vm 2127090: 6481: Adding world 'vmm0:web01', ...", "from world 2127090 to
// dev ...". The world in front of the line is only what ran on that CPU.
func kernelVMWorld(s string, ev *event.Event) {
	if ev.Class != event.BaseEvent || ev.Src.IP.IsValid() {
		return
	}
	if ev.Src.World = leader(s); ev.Src.World == "" {
		ev.Src.World = vsphere.WorldOf(s)
	}
}

// leader reads "vm 2127090: ": the first world of the VM that a module is
// about.
func leader(s string) string {
	rest, ok := strings.CutPrefix(s, "vm ")
	id, _, colon := strings.Cut(rest, ":")
	if _, number := vsphere.ParseUint(id); !ok || !colon || !number {
		return ""
	}
	return id
}

// findPort finds a port of a virtual switch in a text: "on port 0x2000005",
// "portID 0x2000005", "portID(33554437)".
func findPort(s string) string {
	if !strings.Contains(s, "port") {
		return ""
	}
	if number, ok := vsphere.Between(s, "portID(", ")"); ok {
		if _, ok := vsphere.ParseUint(number); ok {
			return number
		}
	}
	for _, mark := range [...]string{"port 0x", "portID 0x", "port: 0x"} {
		before, rest, ok := strings.Cut(s, mark)
		if !ok {
			continue
		}
		n := 0
		for n < len(rest) && n < maxPortDigits {
			if _, hex := hexDigit(rest[n]); !hex {
				break
			}
			n++
		}
		if start := len(before) + len(mark) - len("0x"); n > 0 {
			return s[start : start+len("0x")+n]
		}
	}
	return ""
}

const maxPortDigits = 16

// maxMACs bounds the MAC addresses of one line.
const maxMACs = 4

// hardware adds the MAC addresses that a text names, and the VM behind the
// virtual adapter "NAME.eth0". Longer rows of digits are the names of Fibre
// Channel ports.
func hardware(s string, ev *event.Event) {
	for n, i := 0, 0; n < maxMACs; {
		colon := strings.IndexByte(s[i:], ':')
		if colon < 0 {
			break
		}
		i += colon + 1
		if i+2 >= len(s) || s[i+2] != ':' {
			continue
		}
		if mac, ok := macAt(s, i-len("00:")); ok {
			ev.Add(fieldMAC, mac)
			n++
			i += macLength - len("00:")
		}
	}
	i := strings.Index(s, ".eth")
	if i <= 0 || i+len(".eth") >= len(s) || s[i+len(".eth")]-'0' > 9 || ev.Src.VMName != "" {
		return
	}
	if name := s[strings.LastIndexAny(s[:i], " ,:(")+1 : i]; name != "" {
		ev.Src.VMName = name
		ev.Add(vsphere.FieldVM, name)
	}
}

const macLength = len("00:50:56:00:00:00")

// macAt reads the MAC address at s[start:], if nothing longer is there.
func macAt(s string, start int) (string, bool) {
	end := start + macLength
	if start < 0 || end > len(s) || start > 0 && (isModuleByte(s[start-1]) || s[start-1] == ':') ||
		end < len(s) && (isModuleByte(s[end]) || s[end] == ':' && end+1 < len(s) && isModuleByte(s[end+1])) {
		return "", false
	}
	return vsphere.ParseMAC(s[start:end])
}

// skipUptime drops "7:21:06:14.107 ".
func skipUptime(s string) string {
	word, rest := vsphere.Word(s)
	if strings.Count(word, ":") == 3 && strings.Trim(word, "0123456789:.") == "" {
		return rest
	}
	return s
}

// kernelPrefix reads "cpu12:2097677 opID=936118c3)", also behind the counter
// that "TSC: 1899066536 cpu0:0)" has.
func kernelPrefix(s string, ev *event.Event) (rest string, ok bool) {
	i := strings.Index(s[:min(len(s), 40)], "cpu")
	if i < 0 || i > 0 && s[i-1] != ' ' {
		return s, false
	}
	end := strings.IndexByte(s, ')')
	if end < i || end > i+64 {
		return s, false
	}
	cpu, op, _ := strings.Cut(s[i+len("cpu"):end], " ")
	_, world, ok := strings.Cut(cpu, ":")
	if _, number := vsphere.ParseUint(world); !ok || !number {
		return s, false
	}
	ev.Add(fieldWorld, world)
	if id, ok := strings.CutPrefix(op, "opID="); ok {
		ev.Add(vsphere.FieldOpID, id)
	}
	return strings.TrimLeft(s[end+1:], " "), true
}

// kernelLevel reads "WARNING: ", "ALERT: " and the drivers' "<6>".
func kernelLevel(s string, ev *event.Event) (rest string, ok bool) {
	switch {
	case strings.HasPrefix(s, "WARNING: "):
		ev.Severity = event.SeverityMedium
		return s[len("WARNING: "):], true
	case strings.HasPrefix(s, "ALERT: "):
		ev.Severity = event.SeverityCritical
		return s[len("ALERT: "):], true
	case len(s) > 3 && s[0] == '<' && s[2] == '>' && s[1] >= '0' && s[1] <= '7':
		return s[3:], true
	}
	return s, false
}

// maxModule bounds a module's name.
const maxModule = 32

// kernelModule reads "ScsiDeviceIO: 1234: text", "lpfc0:0712:text" and
// "INFO (ne1000): text". A name is letters, digits, '_' and '-', and opens
// with a letter.
func kernelModule(s string) (module, body string) {
	if driver, rest, ok := strings.Cut(s, "): "); ok && len(driver) <= maxModule {
		if level, name, ok := strings.Cut(driver, " ("); ok && (level == "INFO" || level == "DEBUG") {
			return name, rest
		}
	}
	s = strings.TrimPrefix(s, "<unk>: ")
	i := 0
	for i < len(s) && i <= maxModule && isModuleByte(s[i]) {
		i++
	}
	if i == 0 || i > maxModule || i >= len(s) || s[i] != ':' || s[0]|0x20 < 'a' {
		return "", s
	}
	return s[:i], skipLine(strings.TrimLeft(s[i+1:], " "))
}

func isModuleByte(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// skipLine drops the source line's number: "1234: ".
func skipLine(s string) string {
	line, rest, ok := strings.Cut(s, ": ")
	if _, number := vsphere.ParseUint(line); ok && number {
		return rest
	}
	return s
}

// kernelFacts takes the lines that name an end of a connection or a port.
func kernelFacts(module, s string, ev *event.Event) bool {
	switch module {
	case "NetPort", "Uplink":
		return kernelPort(s, ev)
	case "Tcpip":
		return kernelRoute(s, ev)
	case "World":
		return kernelWorld(s, ev) || kernelVM(s, ev)
	case "iscsi_vmk", "iscsi_trans", "iscsivmk":
		return kernelISCSI(s, ev)
	case "NFS", "NFS41", "SunRPC", "NFSLock":
		return kernelNFS(s, ev)
	case "Migrate", "VMotion", "VMotionUtil", "MigrateNet":
		return kernelMigrate(s, ev)
	case "NVMFDEV", "nvmetcp", "NVMFNET", "NVMFCTLR":
		return kernelNVMe(s, ev)
	}
	return kernelClient(s, ev) || kernelVM(s, ev)
}

// kernelPort: "enabled port 0x3000007 with mac 00:50:56:84:5a:b4", "disabled
// port 0x3000007".
func kernelPort(s string, ev *event.Event) bool {
	verb, rest := vsphere.Word(s)
	if nic, port, ok := strings.Cut(rest, " to port "); ok && verb == "connected" {
		ev.Src.MAC, _ = vsphere.ParseMAC(strings.TrimPrefix(nic, "NIC "))
		ev.Src.SwitchPort = port
		return true
	}
	if verb != "enabled" && verb != "disabled" {
		return false
	}
	rest, ok := strings.CutPrefix(rest, "port ")
	if !ok {
		return false
	}
	port, rest := vsphere.Word(rest)
	ev.Src.SwitchPort = port
	ev.Add(fieldPort, port)
	if mac, ok := strings.CutPrefix(rest, "with mac "); ok {
		ev.Src.MAC, _ = vsphere.ParseMAC(mac)
		vsphere.AddIf(ev, fieldMAC, mac)
	}
	return true
}

// kernelRoute: "add dstAddr=0x221a8c0, netMask=0xffffffff, gwAddr=0x6682000a".
// The numbers are addresses in network byte order read as little endian.
func kernelRoute(s string, ev *event.Event) bool {
	verb, rest := vsphere.Word(s)
	dst, ok := vsphere.Between(rest, "dstAddr=", ",")
	if !ok {
		return false
	}
	addr, ok := littleEndian(dst)
	if !ok {
		return false
	}
	ev.Class, ev.Activity = event.NetworkActivity, event.ActivityOther
	ev.Src, ev.Dst.IP = vsphere.DeviceEndpoint(ev), addr
	ev.Add(fieldRoute, verb)
	if mask, ok := vsphere.Between(rest, "netMask=", ","); ok {
		addAddress(ev, fieldNetmask, mask)
	}
	if gw, _ := vsphere.Word(after(rest, "gwAddr=")); gw != "" {
		addAddress(ev, fieldGateway, strings.TrimRight(gw, ","))
	}
	return true
}

func after(s, mark string) string {
	_, rest, _ := strings.Cut(s, mark)
	return rest
}

func addAddress(ev *event.Event, id event.FieldID, hex string) {
	if a, ok := littleEndian(hex); ok {
		ev.Add(id, a.String())
	}
}

func littleEndian(s string) (netip.Addr, bool) {
	s, ok := strings.CutPrefix(s, "0x")
	if !ok || s == "" || len(s) > 8 {
		return netip.Addr{}, false
	}
	var n uint32
	for i := 0; i < len(s); i++ {
		d, ok := hexDigit(s[i])
		if !ok {
			return netip.Addr{}, false
		}
		n = n<<4 | uint32(d)
	}
	return netip.AddrFrom4([4]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}), true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// kernelWorld: "VC opID esxui-d6ab-f678 maps to vmkernel opID 936118c3" ties
// the kernel's work to a call in hostd or vpxd.
func kernelWorld(s string, ev *event.Event) bool {
	vc, ok := vsphere.Between(s, "VC opID ", " maps to ")
	if ok {
		ev.Add(fieldVCOpID, vc)
	}
	return ok
}

// kernelISCSI: "iscsivmk_StartConnection: Conn [CID: 0 L: 192.168.1.109:57860
// R: 192.168.1.101:3260]".
func kernelISCSI(s string, ev *event.Event) bool {
	local, ok := vsphere.Between(after(s, "Conn [CID: "), " L: ", " R: ")
	remote, _ := vsphere.Word(after(s, " R: "))
	if !ok || !vsphere.SetEndpoint(&ev.Src, local) || !vsphere.SetEndpoint(&ev.Dst, strings.TrimSuffix(remote, "]")) {
		return false
	}
	ev.Class, ev.Activity, ev.Protocol = event.NetworkActivity, event.ActivityOther, vsphere.ProtocolTCP
	ev.Direction = event.DirectionOutbound
	switch {
	case strings.Contains(s, "StartConnection"):
		ev.Activity = event.NetworkOpen
	case strings.Contains(s, "StopConnection"):
		ev.Activity = event.NetworkClose
	case strings.Contains(s, "Failure"), strings.Contains(s, "ailed"):
		ev.Activity, ev.Status = event.NetworkFail, event.StatusFailure
	}
	return true
}

// kernelNVMe: "Connecting to NVMe controller vmhba65 traddr 10.0.0.9 trsvcid
// 4420", "traddr: 10.0.0.9, trsvcid: 4420", "... at 10.0.0.9:4420".
func kernelNVMe(s string, ev *event.Event) bool {
	addr, rest := vsphere.Word(strings.TrimLeft(after(s, "traddr"), ":= "))
	addr = strings.TrimRight(addr, ",;")
	if addr == "" || !vsphere.SetEndpoint(&ev.Dst, addr) {
		return false
	}
	port, _ := vsphere.Word(strings.TrimLeft(after(rest, "trsvcid"), ":= "))
	if p, ok := vsphere.ParsePort(strings.TrimRight(port, ",;")); ok {
		ev.Dst.Port = p
	}
	ev.Class, ev.Activity, ev.Protocol = event.NetworkActivity, event.ActivityOther, vsphere.ProtocolTCP
	ev.Src, ev.Direction = vsphere.DeviceEndpoint(ev), event.DirectionOutbound
	switch {
	case strings.Contains(s, "ailed"), strings.Contains(s, "rror"):
		ev.Activity, ev.Status = event.NetworkFail, event.StatusFailure
	case strings.Contains(s, "onnect"):
		ev.Activity = event.NetworkOpen
	}
	return true
}

// kernelNFS: "Command: (mount) Server: (nas1) IP: (10.0.0.9) Path: (/vol)",
// "Lost connection to the server 10.0.0.9 mount point /vol, mounted as ...",
// "NFS mount 10.0.0.9:/vol failed: ...".
func kernelNFS(s string, ev *event.Event) bool {
	var dst event.Endpoint
	if !nfsServer(s, &dst, ev) {
		return false
	}
	ev.Class, ev.Activity = event.NetworkActivity, nfsActivity(s)
	if ev.Activity == event.NetworkFail {
		ev.Status = event.StatusFailure
	}
	ev.Src, ev.Dst, ev.Direction = vsphere.DeviceEndpoint(ev), dst, event.DirectionOutbound
	return true
}

// maxServers bounds the further addresses of a server.
const maxServers = 4

func nfsServer(s string, dst *event.Endpoint, ev *event.Event) bool {
	if ip, ok := vsphere.Between(s, "IP: (", ")"); ok && vsphere.SetEndpoint(dst, ip) {
		if path, ok := vsphere.Between(s, "Path: (", ")"); ok {
			ev.Add(fieldPath, path)
		}
		if name, ok := vsphere.Between(s, "Server: (", ")"); ok && name != ip {
			vsphere.SetEndpoint(dst, name)
		}
		return true
	}
	if server, ok := vsphere.Between(s, "Server (", ")"); ok {
		return vsphere.SetEndpoint(dst, server)
	}
	if rest := after(s, "ount server: "); rest != "" { // "Mount server: 10.0.0.9,10.0.0.10, port: 2049, path: /vol, ..."
		server, _, _ := strings.Cut(rest, ",")
		port, _, _ := strings.Cut(after(rest, "port: "), ",")
		path, _, ok := strings.Cut(after(rest, "path: "), ",")
		if !vsphere.SetEndpoint(dst, server) {
			return false
		}
		dst.Port, _ = vsphere.ParsePort(port)
		_, others, _ := strings.Cut(rest, ",")
		for n := 0; n < maxServers && others != "" && others[0] != ' '; n++ { // the other ways to it
			server, others, _ = strings.Cut(others, ",")
			vsphere.AddIf(ev, vsphere.FieldAddress, server)
		}
		if ok {
			ev.Add(fieldMountPoint, path)
		}
		return true
	}
	if rest := after(s, " the server "); rest != "" {
		server, rest := vsphere.Word(rest)
		if !vsphere.SetEndpoint(dst, server) {
			return false
		}
		if path, _, ok := strings.Cut(after(rest, "mount point "), ","); ok {
			ev.Add(fieldMountPoint, path)
		}
		return true
	}
	if rest := after(s, " mount "); rest != "" || strings.HasPrefix(s, "mount ") {
		if rest == "" {
			rest = s[len("mount "):]
		}
		server, path, ok := strings.Cut(rest, ":/")
		if ok && strings.IndexByte(server, ' ') < 0 && vsphere.SetEndpoint(dst, server) {
			path, _ = vsphere.Word(path)
			ev.Add(fieldMountPoint, "/"+strings.TrimRight(path, ":,;"))
			return true
		}
	}
	return rpcAddress(after(s, " IP "), dst)
}

// rpcAddress reads a universal address of RFC 5665, "10.0.0.9.8.1": the last
// two numbers are the port's bytes.
func rpcAddress(s string, ep *event.Endpoint) bool {
	s, _ = vsphere.Word(s)
	rest, low, okLow := cutNumber(s)
	addr, high, okHigh := cutNumber(rest)
	ip, ok := vsphere.ParseAddr(addr)
	if !ok || !okLow || !okHigh {
		return false
	}
	ep.IP, ep.Port = ip, uint16(high)<<8|uint16(low)
	return true
}

// cutNumber cuts ".N" off the end of s.
func cutNumber(s string) (rest string, n uint64, ok bool) {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return s, 0, false
	}
	n, ok = vsphere.ParseUint(s[i+1:])
	return s[:i], n, ok && n <= 255
}

func nfsActivity(s string) event.Activity {
	switch {
	case strings.Contains(s, "ost connection"), strings.Contains(s, "disconnected"):
		return event.NetworkClose
	case strings.Contains(s, "ailed"), strings.Contains(s, "abort"), strings.Contains(s, "annot "):
		return event.NetworkFail
	case strings.Contains(s, "Restored"), strings.Contains(s, "estored connection"), strings.Contains(s, "mount)"), strings.Contains(s, "status: Success"):
		return event.NetworkOpen
	}
	return event.ActivityOther
}

// kernelMigrate: "vm 2758492: 3284: Setting VMOTION info: Source ts = 1451,
// src ip = <10.0.0.1> dest ip = <10.0.0.2> Dest wid = 1830931 using SHARED
// swap"; since ESXi 8 "vmotion: Source vmmLeaderID = 2118927, ts = 7182, srcIP
// = <10.0.0.1> dstIP = <10.0.0.2> Dest wid = 2109446 ..." (Broadcom knowledge
// base 441977). The worlds are the VM's on either host.
func kernelMigrate(s string, ev *event.Event) bool {
	src, okS := vsphere.Between(s, "src ip = <", ">")
	dst, okD := vsphere.Between(s, "dest ip = <", ">")
	if !okS && !okD {
		src, okS = vsphere.Between(s, "srcIP = <", ">")
		dst, okD = vsphere.Between(s, "dstIP = <", ">")
	}
	if !okS || !okD || !vsphere.SetEndpoint(&ev.Src, src) || !vsphere.SetEndpoint(&ev.Dst, dst) {
		return false
	}
	ev.Class, ev.Activity, ev.Direction = event.NetworkActivity, event.ActivityOther, event.DirectionLateral
	from := leader(s)
	if id, _, ok := strings.Cut(after(s, "Source vmmLeaderID = "), ","); ok {
		from = id
	}
	to, _ := vsphere.Word(after(s, " Dest wid = "))
	if _, number := vsphere.ParseUint(to); number && to != "0" && from != "" && strings.Contains(s, "Source ") {
		ev.Src.World, ev.Dst.World = from, to
	}
	return true
}

// kernelClient: "client vmk0 requested promiscuous mode on port 0x1000003",
// where a VM's client is "vm_name.eth0".
func kernelClient(s string, ev *event.Event) bool {
	client, port, ok := strings.Cut(after(s, "client "), " requested ")
	if !ok {
		return false
	}
	ev.Add(fieldClient, client)
	if i := strings.LastIndex(client, ".eth"); i > 0 {
		ev.Src.VMName = client[:i]
		ev.Add(vsphere.FieldVM, client[:i])
	}
	if port, _ = vsphere.Word(after(port, " on port ")); port != "" {
		port = strings.TrimRight(port, ",.")
		ev.Src.SwitchPort = port
		ev.Add(fieldPort, port)
	}
	return true
}

// kernelVM: "from (vmm0:testvm02)", "Adding world 'vmm0:testvm02', group" and
// "Starting world vmm0:testvm02 of type 8" name the VM whose virtual CPU it is.
func kernelVM(s string, ev *event.Event) bool {
	before, rest, ok := strings.Cut(s, "vmm")
	if !ok || before == "" {
		return false
	}
	number, name, ok := strings.Cut(rest, ":")
	if _, digits := vsphere.ParseUint(number); !digits {
		return false
	}
	end := -1
	switch before[len(before)-1] {
	case '(':
		end = strings.IndexByte(name, ')')
	case '\'':
		end = strings.Index(name, "',")
	case ' ':
		if end = strings.Index(name, " of type "); end < 0 {
			end = strings.Index(name, " with flags ")
		}
	}
	if !ok || end <= 0 {
		return false
	}
	ev.Src.VMName = name[:end]
	ev.Add(vsphere.FieldVM, name[:end])
	return true
}
