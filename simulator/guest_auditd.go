package simulator

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// audit writes the records of one event of the audit system, which share its
// time and serial. (Linux audit documentation, "Audit event fields",
// https://github.com/linux-audit/audit-documentation.)
func (g *guest) audit(at time.Time, records ...string) {
	g.sc.auditSerial++
	head := fmt.Sprintf("msg=audit(%d.%03d:%d): ", at.Unix(), at.Nanosecond()/1e6, g.sc.auditSerial)
	for _, r := range append(records, "type=EOE ") {
		kind, rest, _ := strings.Cut(r, " ")
		g.say(at, "auditd", strings.TrimRight(kind+" "+head+rest, " "))
	}
}

// syscall is the SYSCALL record of p; uid 33 is www-data's.
func (g *guest) syscall(number int, exit string, p *process, key string) string {
	ppid, uid := 1, 1000
	if p.parent != nil {
		ppid = p.parent.pid
	}
	if p.user == "www-data" {
		uid = 33
	}
	return fmt.Sprintf(`type=SYSCALL arch=c000003e syscall=%d success=%s exit=%s a0=3 a1=7ffc2a10 a2=10 a3=0 items=2 ppid=%d pid=%d auid=4294967295 uid=%d gid=%d euid=%d suid=%d fsuid=%d egid=%d sgid=%d fsgid=%d tty=(none) ses=4294967295 comm=%q exe=%q key=%q`,
		number, yes(exit), exit, ppid, p.pid, uid, uid, uid, uid, uid, uid, uid, uid, p.path[strings.LastIndexByte(p.path, '/')+1:], p.path, key)
}

func yes(exit string) string {
	if strings.HasPrefix(exit, "-") {
		return "no"
	}
	return "yes"
}

// linuxProcess is an execve by parent.
func (g *guest) linuxProcess(at time.Time, path string, args []string, parent *process) *process {
	p := &process{pid: g.newPID(), path: path, line: strings.Join(args, " "), user: parent.user, parent: parent, begun: at}
	exec := fmt.Sprintf("type=EXECVE argc=%d", len(args))
	for i, a := range args {
		exec += fmt.Sprintf(" a%d=%s", i, auditText(a))
	}
	g.audit(at, g.syscall(59, "0", p, "exec"), exec, `type=CWD cwd="/var/www"`,
		fmt.Sprintf(`type=PATH item=0 name=%q inode=1311 dev=fd:00 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL`, path),
		"type=PROCTITLE proctitle="+hexOf(strings.Join(args, "\x00")))
	return p
}

// auditText is a value as auditd writes it: in hex where it has a space or a
// quote.
func auditText(s string) string {
	if strings.ContainsAny(s, " \"") {
		return hexOf(s)
	}
	return `"` + s + `"`
}

func hexOf(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }

// linuxVisits tells of connect calls. They name no source.
func (g *guest) linuxVisits(p *process, v visits) {
	g.each(v, func(at time.Time, _ netip.AddrPort) {
		a, port := v.to.addr.Addr().As4(), v.to.addr.Port()
		g.audit(at, g.syscall(42, "-115", p, "net"),
			fmt.Sprintf("type=SOCKADDR saddr=0200%04X%02X%02X%02X%02X0000000000000000", port, a[0], a[1], a[2], a[3]),
			"type=PROCTITLE proctitle="+hexOf(strings.ReplaceAll(p.line, " ", "\x00")))
	})
}

// linuxWrites is a file that p makes.
func (g *guest) linuxWrites(at time.Time, p *process, path string) {
	folder := path[:strings.LastIndexByte(path, '/')+1]
	g.audit(at, g.syscall(257, "4", p, "write"), `type=CWD cwd="/var/www"`,
		fmt.Sprintf(`type=PATH item=0 name=%q inode=2 dev=fd:00 mode=041777 ouid=0 ogid=0 rdev=00:00 nametype=PARENT`, folder),
		fmt.Sprintf(`type=PATH item=1 name=%q inode=7715 dev=fd:00 mode=0100644 ouid=33 ogid=33 rdev=00:00 nametype=CREATE`, path),
		"type=PROCTITLE proctitle="+hexOf(strings.ReplaceAll(p.line, " ", "\x00")))
}
