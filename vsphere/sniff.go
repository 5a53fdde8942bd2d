package vsphere

import (
	"strings"

	"github.com/vegress/vegress/syslog"
)

// sniff finds who wrote a message whose program is not known, or not named: a
// tag that still stands in the text, the component that a body names, or what
// the text looks like. It gives the message back without the tag.
func (d *Decoder) sniff(m *syslog.Message) (*program, *syslog.Message) {
	if p, inner := d.tagged(m); p != nil {
		return p, inner
	}
	if b, ok := ParseBody(m); ok {
		if p := d.lookup(b.Name); p != nil {
			return p, m
		}
		if b.Name != "" || m.App != "" || !strings.Contains(m.Text, " INET") {
			return d.unknown, m
		}
	}
	if strings.Contains(m.Text, "com.vmware.sso.") { // its audit log goes by several names
		if p := d.lookup("websso"); p != nil {
			return p, m
		}
	}
	if m.App != "" && !strings.Contains(m.Text, " INET") {
		return d.unknown, m
	}
	if p := d.lookup(signature(m.Text)); p != nil {
		return p, m
	}
	return d.unknown, m
}

// maxTag bounds a tag with its pid.
const maxTag = 80

// tagged reads "prog[pid]: text" and "prog: text" where prog is known.
func (d *Decoder) tagged(m *syslog.Message) (*program, *syslog.Message) {
	if m.App != "" {
		return nil, nil
	}
	text := strings.TrimLeft(m.Text, " ")
	colon := strings.IndexByte(text[:min(len(text), maxTag)], ':')
	if colon <= 0 {
		return nil, nil
	}
	tag, pid, _ := strings.Cut(strings.TrimRight(text[:colon], " ]"), "[")
	p := d.lookup(tag)
	if p == nil {
		return nil, nil
	}
	inner := *m
	inner.App, inner.ProcID, inner.Text = tag, pid, strings.TrimLeft(text[colon+1:], " ")
	return p, &inner
}

// signatures are what the text of a program looks like, cheapest first.
var signatures = [...]struct{ mark, program string }{
	{" INET match ", "dfwpktlogs"},
	{" INET TERM ", "dfwpktlogs"},
	{" INET6 ", "dfwpktlogs"},
	{"Correlator] ", "vobd"},
	{"[auditlogger] ", "websso"},
	{" [Request] ", "tomcat"},
	{" ; USER=", "sudo"},
	{"(TPGT:", "iscsid"},
	{" port ", "sshd"},
}

var openings = [...]struct{ mark, program string }{
	{"INET ", "dfwpktlogs"},
	{"INET6 ", "dfwpktlogs"},
	{"cpu", "vmkernel"},
	{"Event [", "vpxd"},
	{"DHCP", "dhclient"},
	{"pam_", "sshd"},
	{"USER ", "crond"},
	{"Accepted ", "sshd"},
	{"Failed ", "sshd"},
	{"Invalid user ", "sshd"},
	{"Connection ", "sshd"},
	{"Executing '", "vsanmgmtd"},
}

// signature names the program whose records look like text; empty: none.
func signature(text string) string {
	text = strings.TrimLeft(text, " ")
	if strings.HasPrefix(text, "[") {
		end := strings.Index(text[:min(len(text), maxTag)], "]: ")
		switch {
		case end > 1 && !strings.HasPrefix(text, "[Auth") && !strings.ContainsAny(text[1:end], " []:'"):
			return "shell" // "[root]: esxcli ..."
		case strings.Contains(text, "vherd."):
			return "vherd"
		case strings.Contains(text, " com.vmware."), strings.Contains(text, " [] "):
			return "java"
		}
	}
	for i := range openings {
		if strings.HasPrefix(text, openings[i].mark) {
			return openings[i].program
		}
	}
	for i := range signatures {
		if strings.Contains(text, signatures[i].mark) {
			return signatures[i].program
		}
	}
	return ""
}
