package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/apiuse"
)

// TestAPIUseInService: the second floor finds, what it learned is written down
// and taken up again, and a reload is in force there too.
func TestAPIUseInService(t *testing.T) {
	t.Parallel()
	config := testConfig(t, "", nil)
	s := start(t, config)
	sent := int64(0)
	say := func(kind, user, text string) {
		t.Helper()
		fmt.Fprintf(s.sender(), "<14>1 %s vc1.corp.example vpxd 5 - - Event [7] [1-1] [%[1]s] [vim.event.%s] [info] [%s] [Lab] [7] [%s]\n",
			time.Now().UTC().Format(stamp), kind, user, text)
		sent++
		s.settled(sent)
	}
	opened := func() (n int64) {
		for _, f := range s.floor.api.Stats().Findings {
			if f.Analytic == apiuse.GuestOps {
				n = f.Opened
			}
		}
		return n
	}
	privileged := func(n int64) {
		t.Helper()
		s.eventually("the second floor", func() bool { return s.floor.api.Stats().Privileged == n })
	}
	say("UserLoginSessionEvent", `CORP\ann`, `User CORP\ann@10.0.0.5 logged in as curl`)
	say("EventEx", `CORP\ann`, "Guest operation Start Program performed on Virtual machine db01")
	privileged(1)
	if n := opened(); n != 1 {
		t.Errorf("%d findings, want 1", n)
	}
	allowed := config
	allowed.APIUse.GuestOps.Users = []string{"bob"}
	if err := s.reload(allowed); err != nil {
		t.Fatal(err)
	}
	say("EventEx", `CORP\bob`, "Guest operation Start Program performed on Virtual machine db01")
	privileged(2)
	if n := opened(); n != 1 {
		t.Errorf("%d findings after bob may, want 1", n)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(config.DataDir, apiuseName)
	data, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(data), `"name":"ann","domain":"corp","agent":"curl","addr":"10.0.0.5"`) {
		t.Fatalf("%s, %v", data, err)
	}
	again := start(t, config)
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(data) {
		t.Errorf("after a restart %s, %v", after, err)
	}
}

// TestReplayOfAPIUse: the event that goes out says who acted, where its own
// line does not.
func TestReplayOfAPIUse(t *testing.T) {
	file := write(t, "vpxd.log", `<14>1 2026-03-03T20:30:00.000Z vc1 vpxd-main - - - 2026-03-03T20:30:00.000Z info vpxd[5] [Originator@6876 sub=vpxLro opID=a1] [VpxLRO] -- BEGIN lro-1 -- SessionManager -- vim.SessionManager.login -- 52aaaaaa-1
<14>1 2026-03-03T20:30:00.100Z vc1 vpxd 5 - - Event [7] [1-1] [2026-03-03T20:30:00.1Z] [vim.event.UserLoginSessionEvent] [info] [LAB\j.doe] [] [7] [User LAB\j.doe@10.9.0.16 logged in as PowerCLI/13.2.1]
<14>1 2026-03-03T20:30:10.000Z vc1 vpxd-main - - - 2026-03-03T20:30:10.000Z info vpxd[5] [Originator@6876 sub=vpxLro opID=a2] [VpxLRO] -- BEGIN task-1 -- vm-33 -- vim.VirtualMachine.powerOff -- 52aaaaaa-1(52bbbbbb-1)
`)
	got := command(t, "replay", file)
	for _, want := range []string{
		`"actor":{"user":{"name":"j.doe","domain":"LAB"},"session":{"uid":"52aaaaaa-1"}`, `"src_endpoint":{"ip":"10.9.0.16"}`,
		`"http_request":{"user_agent":"PowerCLI/13.2.1"}`, `"actor_via":"session"`,
	} {
		if lines := strings.Split(got.out, "\n"); len(lines) < 3 || !strings.Contains(lines[2], want) {
			t.Errorf("exit code %d, no %s in %s%s", got.code, want, got.out, got.err)
		}
	}
}
