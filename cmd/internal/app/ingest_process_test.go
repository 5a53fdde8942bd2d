package app

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vegress/vegress/event"
)

// post sends records to the process as the way in wants them, and says whether
// they were accepted.
func (p *process) post(path, token, body string) (status int) {
	r, err := http.NewRequest(http.MethodPost, "http://"+p.http+path, strings.NewReader(body))
	if err != nil {
		p.tb.Error(err)
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// TestIngestKill: what was accepted before a kill -9 in the middle of it is
// events after the restart; another token is in force after a reload; and the
// log holds neither tokens nor what was sent.
func TestIngestKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	const first, second, payload = "first-0123456789abcdef", "second-0123456789abcdef", "payload-in-plain-sight"
	token := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	token(first)
	config := fmt.Sprintf("ingest: {token_file: %q}\nlog: {level: debug}\n", file)
	p := spawn(t, dir, config)
	if code := p.post("/ingest/json", second, "{}"); code != http.StatusUnauthorized {
		t.Errorf("another token: %d", code)
	}
	var mu sync.Mutex
	accepted := map[string]int{}
	var senders sync.WaitGroup
	for n := range 3 {
		sender := fmt.Sprintf("web%d", n)
		senders.Go(func() {
			for at := 0; p.post("/ingest/json?host="+sender, first, records(sender, at, at+20)) == http.StatusOK; at += 20 {
				mu.Lock()
				accepted[sender] = at + 20
				mu.Unlock()
			}
		})
	}
	eventually(t, "some thousand accepted", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return accepted["web0"] > 1000 && accepted["web1"] > 1000 && accepted["web2"] > 1000
	})
	p.kill()
	senders.Wait()
	logs := p.log.String()

	p = spawn(t, dir, config)
	token(second)
	p.hangup()
	eventually(t, "the new token in force", func() bool { return p.post("/ingest/json", second, `{"text":"`+payload+`"}`) == http.StatusOK })
	if code := p.post("/ingest/json", first, "{}"); code != http.StatusUnauthorized {
		t.Errorf("the old token after the reload: %d", code)
	}
	logs += p.log.String()
	if code := p.terminate(); code != exitOK {
		t.Errorf("exit code %d: %s", code, p.log.String())
	}

	s := start(t, testConfig(t, "", map[string]any{"data_dir": filepath.Join(dir, "data")}))
	s.eventually("all is read", func() bool { return s.streamed() == 0 && s.account().InFlight == 0 })
	s.sendLast()
	seen := map[string]int{}
	found := false
	readBack(t, s.broker.ClientURL(), func(ev *event.Event) {
		seen[number(ev)]++
		found = found || strings.Contains(ev.Raw, payload)
	})
	for sender, n := range accepted {
		for i := range n {
			if seen[fmt.Sprintf("%s-%d", sender, i)] == 0 {
				t.Fatalf("record %d of %s is lost, of %d accepted", i, sender, n)
			}
		}
	}
	if !found || strings.Contains(logs, payload) || strings.Contains(logs, "0123456789abcdef") || strings.Contains(logs, "record web") {
		t.Errorf("found %v; the log: %s", found, logs)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestRsyslog: rsyslog reads the log of the audit system and a file of
// Suricata's, and sends them as docs/ingest.md says.
func TestRsyslog(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("rsyslogd")
	if err != nil {
		if program = "/usr/sbin/rsyslogd"; !isFile(program) {
			t.Skip("rsyslogd is not installed")
		}
	}
	s := start(t, testConfig(t, "", nil))
	dir := t.TempDir()
	const whole = 20
	var audit strings.Builder
	for n := range whole {
		audit.WriteString(strings.Join(connected(n), "\n") + "\n")
	}
	for name, text := range map[string]string{"audit.log": audit.String(), "eve.json": strings.Repeat(eveLine+"\n", 30)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile("../../../docs/ingest.md")
	if err != nil {
		t.Fatal(err)
	}
	_, config, _ := strings.Cut(string(page), "```rsyslog\n")
	config, _, found := strings.Cut(config, "```")
	if !found {
		t.Fatal("docs/ingest.md has no configuration for rsyslog")
	}
	_, port, _ := strings.Cut(s.server.Addrs()[0].String(), ":")
	config = strings.NewReplacer(
		"/var/log/audit/audit.log", filepath.Join(dir, "audit.log"), "/var/log/suricata/eve.json", filepath.Join(dir, "eve.json"),
		`target="vegress.example.com"`, `target="127.0.0.1"`, `port="1514"`, fmt.Sprintf("port=%q", port),
	).Replace(config)
	config = fmt.Sprintf("global(workDirectory=%q)\n", dir) + config
	cmd := exec.Command(program, "-n", "-i", filepath.Join(dir, "pid"), "-f", write(t, "rsyslog.conf", config))
	var said lockedBuffer
	cmd.Stderr, cmd.Stdout = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	}()
	s.settled(3*whole + 30)
	s.sendLast()
	classes := map[string]int{}
	readBack(t, s.broker.ClientURL(), func(ev *event.Event) {
		classes[ev.LogName+" "+ev.Class.Name()]++
	})
	if classes["auditd network_activity"] != whole || classes["suricata.tls network_activity"]+classes["eve.tls network_activity"] != 30 {
		t.Errorf("%v", classes)
	}
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}
