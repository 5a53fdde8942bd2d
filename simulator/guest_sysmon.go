package simulator

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const (
	windowsPowerShell = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`
	windowsExplorer   = `C:\Windows\explorer.exe`
	sysmonChannel     = "Microsoft-Windows-Sysmon/Operational"
	scriptChannel     = "Microsoft-Windows-PowerShell/Operational"
)

// field is a member of EventData, in its place.
type field struct{ name, value string }

// winEvent is a record of the event log as EVTX-JSON, the form of evtx_dump:
// {"Event": {"System": ..., "EventData": ...}}. (Schema of the events:
// https://learn.microsoft.com/windows/win32/wes/eventschema-schema; Sysmon's
// fields: https://learn.microsoft.com/sysinternals/downloads/sysmon.)
func (g *guest) winEvent(at time.Time, provider, channel string, id int, data []field) {
	var b strings.Builder
	fmt.Fprintf(&b, `{"Event":{"#attributes":{"xmlns":"http://schemas.microsoft.com/win/2004/08/events/event"},"System":{"Provider":{"#attributes":{"Name":%q}},"EventID":%d,"Version":5,"Level":4,"Task":%d,"Opcode":0,"Keywords":"0x8000000000000000","TimeCreated":{"#attributes":{"SystemTime":%q}},"EventRecordID":%d,"Execution":{"#attributes":{"ProcessID":2604,"ThreadID":3348}},"Channel":%q,"Computer":%q},"EventData":{`,
		provider, id, id, at.UTC().Format("2006-01-02T15:04:05.000000Z"), len(g.sc.sensed.records)+1000, channel, g.name)
	for i, f := range data {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(f.name)
		value, _ := json.Marshal(f.value)
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteString("}}}")
	g.say(at, "winlog", b.String())
}

func (g *guest) sysmon(at time.Time, id int, p *process, data ...field) {
	head := []field{{"RuleName", "-"}, {"UtcTime", at.UTC().Format("2006-01-02 15:04:05.000")}, {"ProcessGuid", g.guid(p)}, {"ProcessId", strconv.Itoa(p.pid)}, {"Image", p.path}}
	g.winEvent(at, "Microsoft-Windows-Sysmon", sysmonChannel, id, append(head, data...))
}

// guid is a process's, as Sysmon makes it of the machine, the time and a token.
func (g *guest) guid(p *process) string {
	a := g.addr.As4()
	return fmt.Sprintf("{%02x%02x%02x%02x-%04x-%04x-%04x-%012x}", a[0], a[1], a[2], a[3], p.begun.Unix()>>16&0xffff, p.begun.Unix()&0xffff, 0x1000, p.pid)
}

// logonName is a user as Sysmon names it.
func logonName(user string) string {
	if user == "SYSTEM" {
		return `NT AUTHORITY\SYSTEM`
	}
	return `LAB\` + user
}

// windowsProcess is one that Explorer starts, with Sysmon's event 1.
func (g *guest) windowsProcess(at time.Time, path, line, user string) *process {
	explorer := &process{pid: 4120, path: windowsExplorer, line: windowsExplorer, user: user, begun: g.sc.start.Add(-50 * time.Hour)}
	p := &process{pid: g.newPID(), path: path, line: line, user: user, parent: explorer, begun: at}
	g.sysmon(at, 1, p,
		field{"FileVersion", "10.0.20348.1"}, field{"Description", "-"}, field{"Product", "-"}, field{"Company", "-"},
		field{"OriginalFileName", path[strings.LastIndexByte(path, '\\')+1:]}, field{"CommandLine", line}, field{"CurrentDirectory", `C:\`},
		field{"User", logonName(user)}, field{"LogonGuid", "{00000000-0000-0000-0000-000000000000}"}, field{"LogonId", "0x3e7"}, field{"TerminalSessionId", "1"},
		field{"IntegrityLevel", "Medium"}, field{"Hashes", fmt.Sprintf("SHA256=%064X", g.sc.rng.Uint64())},
		field{"ParentProcessGuid", g.guid(explorer)}, field{"ParentProcessId", strconv.Itoa(explorer.pid)},
		field{"ParentImage", explorer.path}, field{"ParentCommandLine", explorer.line}, field{"ParentUser", logonName(user)})
	return p
}

// scriptBlock is PowerShell's own record of what it runs (event 4104).
func (g *guest) scriptBlock(p *process, text string) {
	at := p.begun.Add(200 * time.Millisecond)
	g.winEvent(at, "Microsoft-Windows-PowerShell", scriptChannel, 4104, []field{
		{"MessageNumber", "1"}, {"MessageTotal", "1"}, {"ScriptBlockText", text}, {"ScriptBlockId", newUUID(g.sc.rng)}, {"Path", ""},
	})
}

// windowsVisits tells of DNS queries (event 22) and connections (event 3), in
// which Sysmon names no destination.
func (g *guest) windowsVisits(p *process, v visits) {
	asked := time.Time{}
	g.each(v, func(at time.Time, from netip.AddrPort) {
		if at.Sub(asked) > 10*time.Minute {
			asked = at
			g.sysmon(at.Add(-20*time.Millisecond), 22, p,
				field{"QueryName", v.to.name}, field{"QueryStatus", "0"}, field{"QueryResults", "::ffff:" + v.to.addr.Addr().String() + ";"}, field{"User", logonName(p.user)})
		}
		g.sysmon(at, 3, p,
			field{"User", logonName(p.user)}, field{"Protocol", "tcp"}, field{"Initiated", "true"}, field{"SourceIsIpv6", "false"},
			field{"SourceIp", from.Addr().String()}, field{"SourceHostname", g.name}, field{"SourcePort", strconv.Itoa(int(from.Port()))}, field{"SourcePortName", "-"},
			field{"DestinationIsIpv6", "false"}, field{"DestinationIp", v.to.addr.Addr().String()}, field{"DestinationHostname", "-"},
			field{"DestinationPort", strconv.Itoa(int(v.to.addr.Port()))}, field{"DestinationPortName", "https"})
	})
}
