package vcenter

import (
	"strings"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/syslog"
	"github.com/vegress/vegress/vsphere"
)

// postgres recognizes who connects to the appliance's database, by
// log_connections and log_disconnections of PostgreSQL:
//
//	connection received: host=127.0.0.1 port=41000
//	vc 10.0.0.5(41000) LOG:  connection authorized: user=vc database=VCDB
//	disconnection: session time: 0:00:01.2 user=vc database=VCDB host=127.0.0.1 port=41000
func postgres(m *syslog.Message, ev *event.Event) bool {
	value := func(key string) string {
		_, rest, _ := strings.Cut(m.Text, key)
		word, _ := vsphere.Word(rest)
		return strings.Trim(word, `",`)
	}
	switch {
	case strings.Contains(m.Text, "connection received: "):
		ev.Class, ev.Activity, ev.Direction = event.NetworkActivity, event.NetworkOpen, event.DirectionInbound
		ev.Dst, ev.Protocol = vsphere.DeviceEndpoint(ev), vsphere.ProtocolTCP
	case strings.Contains(m.Text, "connection authorized: "):
		vsphere.Logon(ev, event.AuthLogon, event.StatusSuccess, "postgresql")
	case strings.Contains(m.Text, "disconnection: "):
		vsphere.Logon(ev, event.AuthLogoff, event.StatusSuccess, "postgresql")
	case strings.Contains(m.Text, "authentication failed for user "):
		vsphere.Logon(ev, event.AuthLogon, event.StatusFailure, "postgresql")
		ev.User = vsphere.ParseUser(value("authentication failed for user "))
	default:
		return false
	}
	if user := value(" user="); user != "" {
		ev.User = vsphere.ParseUser(user)
	}
	if ip, ok := vsphere.ParseAddr(value("host=")); ok {
		ev.Src.IP = ip
		ev.Src.Port, _ = vsphere.ParsePort(value(" port="))
		return true
	}
	clientPort(m.Text, &ev.Src)
	return true
}

// clientPort finds "ADDRESS(PORT)", which %r of log_line_prefix writes.
func clientPort(text string, ep *event.Endpoint) {
	for rest := text; ; {
		i := strings.IndexByte(rest, '(')
		if i < 0 {
			return
		}
		start := strings.LastIndexAny(rest[:i], " \t[=,:@") + 1
		port, _, _ := strings.Cut(rest[i+1:], ")")
		ip, address := vsphere.ParseAddr(rest[start:i])
		if p, number := vsphere.ParsePort(port); address && number {
			ep.IP, ep.Port = ip, p
			return
		}
		rest = rest[i+1:]
	}
}
