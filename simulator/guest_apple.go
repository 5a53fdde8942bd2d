package simulator

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// macProcess is an exec as eslogger writes it. (eslogger(1), the messages of
// Apple's Endpoint Security framework.)
func (g *guest) macProcess(at time.Time, path string, args []string, parent *process) *process {
	p := &process{pid: g.newPID(), path: path, line: strings.Join(args, " "), user: "501", parent: parent, begun: at}
	exec := map[string]any{
		"target": g.macImage(p, at), "args": args, "env": []string{"LANG=en_US.UTF-8"}, "cwd": macFile("/Users/a.user"),
		"script": nil, "last_fd": 3, "fds": []any{}, "image_cputype": 16777228, "image_cpusubtype": 0,
	}
	record := map[string]any{
		"schema_version": 1, "version": 9, "time": at.UTC().Format(time.RFC3339Nano), "mach_time": at.UnixNano(), "seq_num": len(g.sc.sensed.records),
		"global_seq_num": len(g.sc.sensed.records), "event_type": 9, "action_type": 1,
		"action":  map[string]any{"result": map[string]any{"result_type": 0, "result": map[string]any{"auth": 0}}},
		"process": g.macImage(parent, at), "event": map[string]any{"exec": exec}, "thread": map[string]any{"thread_id": 77},
	}
	line, _ := json.Marshal(record)
	g.say(at, "eslogger", string(line))
	return p
}

// macImage is a process in a message. Apple's own programs are platform
// binaries.
func (g *guest) macImage(p *process, at time.Time) map[string]any {
	ppid := 1
	if p.parent != nil {
		ppid = p.parent.pid
	}
	token := func(pid int) map[string]any {
		return map[string]any{"auid": 501, "euid": 501, "egid": 20, "ruid": 501, "rgid": 20, "pid": pid, "asid": 100019, "pidversion": pid + 9}
	}
	return map[string]any{
		"audit_token": token(p.pid), "parent_audit_token": token(ppid), "responsible_audit_token": token(ppid),
		"ppid": ppid, "original_ppid": ppid, "group_id": p.pid, "session_id": 802, "is_platform_binary": true, "is_es_client": false,
		"signing_id": "com.apple." + strings.ToLower(p.path[strings.LastIndexByte(p.path, '/')+1:]), "team_id": nil,
		"cdhash": fmt.Sprintf("%040X", len(p.path)), "codesigning_flags": 570522385, "executable": macFile(p.path),
		"start_time": at.UTC().Format(time.RFC3339Nano), "tty": nil,
	}
}

func macFile(path string) map[string]any {
	return map[string]any{"path": path, "path_truncated": false, "stat": map[string]any{"st_uid": 0, "st_gid": 0, "st_mode": 33261, "st_size": 1}}
}

// macVisits tells of connections as osquery's socket_events do: Endpoint
// Security has none. (osquery schema, socket_events; logging as differential
// results.)
func (g *guest) macVisits(p *process, v visits) {
	g.each(v, func(at time.Time, from netip.AddrPort) {
		row := map[string]any{
			"name": "pack/network/socket_events", "hostIdentifier": g.name, "calendarTime": at.UTC().Format("Mon Jan _2 15:04:05 2006 UTC"),
			"unixTime": at.Unix(), "epoch": 0, "counter": 1, "numerics": false, "action": "added",
			"decorations": map[string]string{"platform": "darwin"},
			"columns": map[string]string{
				"action": "connect", "auid": "501", "family": "2", "fd": "7", "path": p.path, "pid": strconv.Itoa(p.pid), "protocol": "6",
				"local_address": from.Addr().String(), "local_port": strconv.Itoa(int(from.Port())),
				"remote_address": v.to.addr.Addr().String(), "remote_port": strconv.Itoa(int(v.to.addr.Port())),
				"status": "succeeded", "success": "1", "time": strconv.FormatInt(at.Unix(), 10), "uptime": "90210",
			},
		}
		line, _ := json.Marshal(row)
		g.say(at, "osquery", string(line))
	})
}
