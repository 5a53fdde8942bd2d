package linux

import (
	"strconv"
	"strings"
	"time"
)

// head is what a record of the audit system begins with:
//
//	node=web1 type=SYSCALL msg=audit(1700000000.123:456): arch=...
//
// "node=" and "msg=" may be missing, and the header of a log line, or its
// program, may stand in front.
type head struct {
	before string // what stands in front, the node's name excepted
	node   string
	kind   string // "SYSCALL"
	stamp  string // "1700000000.123:456": with the node, the event's name
	time   time.Time
	body   string // behind the colon
}

const (
	auditOpen = "audit("
	maxStamp  = 48 // bytes
)

// parseHead reads the head of a record.
func parseHead(text string) (h head, ok bool) {
	open := strings.Index(text, auditOpen)
	if open < 0 {
		return h, false
	}
	at := strings.LastIndex(text[:open], "type=")
	if at < 0 || at > 0 && strings.IndexByte(" \t:", text[at-1]) < 0 {
		return h, false
	}
	h.kind = kindName(strings.TrimSpace(strings.TrimSuffix(text[at+len("type="):open], "msg=")))
	if h.kind == "" || strings.ContainsAny(h.kind, " \t\"'=") {
		return h, false
	}
	h.before = text[:at]
	if i := strings.LastIndex(h.before, "node="); i >= 0 {
		h.node, _, _ = strings.Cut(h.before[i+len("node="):], " ")
		h.before = h.before[:i]
	}
	rest := text[open+len(auditOpen):]
	end := strings.IndexByte(rest[:min(len(rest), maxStamp)], ')')
	if end < 0 {
		return h, false
	}
	h.stamp = rest[:end]
	h.body = strings.TrimPrefix(rest[end+1:], ":")
	h.time, ok = stampTime(h.stamp)
	return h, ok
}

// lastSecond is that of the year 9999.
const lastSecond = 253402300799

// stampTime reads "1700000000.123:456".
func stampTime(stamp string) (time.Time, bool) {
	clock, serial, ok := strings.Cut(stamp, ":")
	if !ok || !decimal(serial) {
		return time.Time{}, false
	}
	seconds, fraction, _ := strings.Cut(clock, ".")
	sec, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || sec < 0 || sec > lastSecond || fraction != "" && !decimal(fraction) {
		return time.Time{}, false
	}
	nanos := 0
	for i := range 9 {
		nanos *= 10
		if i < len(fraction) {
			nanos += int(fraction[i] - '0')
		}
	}
	return time.Unix(sec, int64(nanos)).UTC(), true
}

func decimal(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// kindNames are the types that the kernel writes as numbers where no auditd
// names them (include/uapi/linux/audit.h).
var kindNames = map[string]string{
	"1006": "LOGIN", "1300": "SYSCALL", "1302": "PATH", "1303": "IPC", "1304": "SOCKETCALL", "1305": "CONFIG_CHANGE",
	"1306": "SOCKADDR", "1307": "CWD", "1309": "EXECVE", "1317": "OBJ_PID", "1319": "TTY", "1320": "EOE",
	"1321": "BPRM_FCAPS", "1322": "CAPSET", "1323": "MMAP", "1324": "NETFILTER_PKT", "1325": "NETFILTER_CFG",
	"1326": "SECCOMP", "1327": "PROCTITLE", "1328": "FEATURE_CHANGE", "1330": "KERN_MODULE", "1331": "FANOTIFY",
	"1334": "BPF", "1336": "URINGOP", "1337": "OPENAT2", "1400": "AVC", "1700": "ANOM_PROMISCUOUS", "1701": "ANOM_ABEND",
	"1702": "ANOM_LINK",
}

// kindName is the name of a type that is written as "1300" or "UNKNOWN[1300]".
func kindName(kind string) string {
	number := strings.TrimSuffix(strings.TrimPrefix(kind, "UNKNOWN["), "]")
	if name, ok := kindNames[number]; ok {
		return name
	}
	return kind
}

// alone says that the event of such a record has no other records: that of a
// program, or of a filter in front of us that joined them. The kernel's have
// others, or an end, to wait for.
func alone(kind string) bool {
	switch kind {
	case "SYSCALL", "PATH", "IPC", "SOCKETCALL", "CONFIG_CHANGE", "SOCKADDR", "CWD", "EXECVE", "IPC_SET_PERM",
		"MQ_OPEN", "MQ_SENDRECV", "MQ_NOTIFY", "MQ_GETSETATTR", "FD_PAIR", "OBJ_PID", "TTY", "EOE", "BPRM_FCAPS",
		"CAPSET", "MMAP", "NETFILTER_PKT", "NETFILTER_CFG", "SECCOMP", "PROCTITLE", "FEATURE_CHANGE", "REPLACE",
		"KERN_MODULE", "FANOTIFY", "TIME_INJOFFSET", "TIME_ADJNTPVAL", "BPF", "EVENT_LISTENER", "URINGOP", "OPENAT2",
		"DM_CTRL", "DM_EVENT", "AVC", "AVC_PATH", "SELINUX_ERR", "ANOM_PROMISCUOUS", "ANOM_ABEND", "ANOM_LINK",
		"ANOM_CREAT", "LOGIN":
		return false
	}
	return !strings.HasPrefix(kind, "MAC_") && !strings.HasPrefix(kind, "INTEGRITY_") && !strings.HasPrefix(kind, "UNKNOWN[13")
}

// headerHost is the machine's name in the header of a log line: that of
// RFC 3164 ("Nov  2 09:15:01 web1 audispd:"), of RFC 5424
// ("1 2026-11-02T09:15:01Z web1 audispd - - -"), or of rsyslog's files
// ("2026-11-02T09:15:01Z web1 audispd:"), each with or without its <PRI>.
func headerHost(before string) string {
	if strings.HasPrefix(before, "<") {
		_, before, _ = strings.Cut(before, ">")
	}
	words := strings.Fields(before[:min(len(before), 256)])
	at := -1
	switch {
	case len(words) >= 5 && len(words[0]) == 3 && strings.Count(words[2], ":") == 2:
		at = 3
	case len(words) >= 3 && words[0] == "1" && strings.Contains(words[1], "T"):
		at = 2
	case len(words) >= 3 && strings.Contains(words[0], "T") && strings.Contains(words[0], ":"):
		at = 1
	}
	if at < 0 || words[at] == "-" {
		return ""
	}
	return words[at]
}
