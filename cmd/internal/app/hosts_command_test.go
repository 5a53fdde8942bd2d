package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
	"github.com/vegress/vegress/simulator"
	"github.com/vegress/vegress/vsphere/loghost"
)

// silentNATS is an address where nobody listens.
const silentNATS = "nats://127.0.0.1:1"

// collectorName is how the hosts of the simulated estate know their collector.
const collectorName = "vegress.lab.example"

// statusOf runs hosts status, and reads its JSON.
func statusOf(t *testing.T, code int, args ...string) hostsStatus {
	t.Helper()
	got := command(t, append([]string{"hosts", "status", "--json"}, args...)...)
	if got.code != code {
		t.Fatalf("exit code %d, want %d: %s", got.code, code, got.err)
	}
	var r hostsStatus
	if err := json.Unmarshal([]byte(got.out), &r); err != nil {
		t.Fatalf("%v in %s", err, got.out)
	}
	return r
}

func (r *hostsStatus) host(t *testing.T, name string) *hostStatus {
	t.Helper()
	i := slices.IndexFunc(r.Hosts, func(h hostStatus) bool { return h.Name == name })
	if i < 0 {
		t.Fatalf("no host %s", name)
	}
	return &r.Hosts[i]
}

func (r *hostsStatus) kinds() (all []problem) {
	for _, p := range r.Problems {
		all = append(all, p.Kind)
	}
	return all
}

// TestHostsStatus: each state in which a host can be is told, with what to do.
func TestHostsStatus(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	estate.SetHostState("esx02.lab.example", false, false)
	estate.SetLogHost("esx06.lab.example", "ssl://"+collectorName+":6514")
	file := write(t, "vegress.yaml", vcenter)
	args := []string{"--config", file, "--nats", silentNATS, "--target", collectorName}
	r := statusOf(t, exitFailed, args...)
	for name, want := range map[string]struct {
		ours     loghost.Answer
		state    string
		problems []problem
	}{
		// siem.lab.example is nowhere in DNS, so it might be this collector
		"esx01.lab.example": {loghost.Unknown, "unresolved", []problem{problemUnresolved}},
		"esx02.lab.example": {loghost.No, "disconnected", []problem{problemDisconnected, problemUnset}},
		"esx03.lab.example": {loghost.No, "unset", []problem{problemUnset}},
		"esx04.lab.example": {loghost.Yes, "configured", nil},
		"esx05.lab.example": {loghost.Unknown, "unresolved", []problem{problemUnresolved, problemRuleSet}},
		"esx06.lab.example": {loghost.Yes, "port_blocked", []problem{problemPort}},
	} {
		h := r.host(t, name)
		if h.Ours != want.ours || h.State != want.state || !slices.Equal(h.Problems, want.problems) {
			t.Errorf("%s: %s, %s, %q; want %+v", name, h.Ours, h.State, h.Problems, want)
		}
	}
	if v := r.VCenters[0]; v.State != "unset" || v.Events != loghost.On || v.FQDN != estate.Site.VCenter {
		t.Errorf("vCenter: %+v", v)
	}
	want := []problem{problemDisconnected, problemUnset, problemUnresolved, problemRuleSet, problemPort}
	if got := r.kinds(); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "counted as vegress: "+collectorName) || !strings.Contains(notes, "what arrives is not known") {
		t.Errorf("notes %q", notes)
	}
	table := command(t, append([]string{"hosts", "status"}, args...)...)
	for _, line := range []string{"esx05.lab.example", "closed", "rule_set_closed", "esxcli network firewall", "disconnected", "counted as vegress"} {
		if !strings.Contains(table.out, line) {
			t.Errorf("%q is not in\n%s", line, table.out)
		}
	}
	if table.code != exitFailed || table.err != "" {
		t.Errorf("exit code %d, %s", table.code, table.err)
	}
}

// put writes log paths into the service's bucket, as its analytics do. All
// hosts that it has written before must be among them.
func put(t *testing.T, s *service, all ...event.HostPath) {
	t.Helper()
	book, err := forward.NewHostBook(t.Context(), s.conn)
	if err == nil {
		_, err = book.Update(t.Context(), time.Now(), all)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestHostsStatusLive: what a running service knows stands beside what vCenter
// says.
func TestHostsStatusLive(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	estate.SetForwardings(simulator.Forwarding{Hostname: collectorName, Port: 1514, Protocol: "TCP"})
	all := []event.HostPath{{Host: estate.Site.VCenter, State: event.PathSending, LastSeen: time.Now(), Rate: 12, Habit: 14}}
	for _, h := range estate.Site.Hosts {
		estate.SetLogHost(h.Name, "tcp://"+collectorName)
		estate.OpenRuleSet(h.Name)
		all = append(all, event.HostPath{Host: h.Name, State: event.PathSending, LastSeen: time.Now(), Rate: 100, Habit: 110, Records: 1})
	}
	s := start(t, testConfig(t, "", nil))
	put(t, s, all...)
	args := []string{"--config", write(t, "vegress.yaml", vcenter), "--nats", s.broker.ClientURL(), "--target", collectorName}
	r := statusOf(t, exitOK, args...)
	if len(r.Problems) > 0 || r.host(t, "esx01.lab.example").State != "sending" || r.VCenters[0].State != "sending" {
		t.Errorf("all is well, but: %+v", r)
	}
	if table := command(t, append([]string{"hosts", "status"}, args...)...); table.code != exitOK || !strings.Contains(table.out, "100 of 110") || !strings.Contains(table.out, "nothing is wrong") {
		t.Errorf("exit code %d\n%s", table.code, table.out)
	}

	all[1].State, all[1].Reasons = event.PathSilent, []string{"no line for 20 minutes"}
	all[2].State, all[2].Lost = event.PathLosing, 12
	all[3].Truncated, all[3].Skew = 3, 3600
	all[4].State, all[4].LastSeen = event.PathNever, time.Time{}
	all[5].State = event.PathMisdirected
	all[6].State = event.PathExcused
	put(t, s, all...)
	r = statusOf(t, exitFailed, args...)
	if got, want := r.kinds(), []problem{problemSilent, problemMisdirected, problemNever, problemLosing, problemTruncated, problemClock}; !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
	if h := r.host(t, "esx06.lab.example"); h.State != "excused" || len(h.Problems) > 0 {
		t.Errorf("excused: %s %q", h.State, h.Problems)
	}
	if only := statusOf(t, exitOK, append(args, "--host", "esx06")...); len(only.Hosts) != 1 {
		t.Errorf("%d hosts of one", len(only.Hosts))
	}
	if only := statusOf(t, exitFailed, append(args, "--cluster", "cluster-b", "--vcenter-name", "vc1")...); len(only.Hosts) != 3 {
		t.Errorf("%d hosts of the three in Cluster-B", len(only.Hosts))
	}
}

// TestHostsStatusOfSeveral: a vCenter that refuses, or is away, does not hide
// the others.
func TestHostsStatusOfSeveral(t *testing.T) {
	t.Parallel()
	_, vcenter := openEstate(t)
	other, second := openEstate(t)
	other.RefuseAppliance()
	second = strings.Replace(second, "name: vc1", "name: vc2", 1)
	third := strings.Replace(strings.Replace(vcenter, "name: vc1", "name: vc3", 1), "username: \"", "username: \"not-", 1)
	join := func(one, more string) string {
		return strings.TrimSuffix(one, "]\n") + ", " + strings.TrimPrefix(more, "vcenters: [")
	}
	file := write(t, "vegress.yaml", join(join(vcenter, second), third))
	r := statusOf(t, exitFailed, "--config", file, "--nats", silentNATS, "--target", collectorName)
	if len(r.VCenters) != 3 || len(r.Hosts) != 12 {
		t.Fatalf("%d vCenters, %d hosts", len(r.VCenters), len(r.Hosts))
	}
	if v := r.VCenters[1]; v.State == "vcenter_unread" || v.Ours != loghost.Unknown || !strings.Contains(strings.Join(v.Notes, ""), "may not") {
		t.Errorf("no right on the appliance: %+v", v)
	}
	if v := r.VCenters[2]; v.State != "vcenter_unread" || !strings.Contains(v.Error, "refused") {
		t.Errorf("login refused: %+v", v)
	}
	if kinds := r.kinds(); kinds[0] != problemVCenter {
		t.Errorf("problems %q", kinds)
	}
}

func TestHostsUsage(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	file := write(t, "vegress.yaml", vcenter)
	none := write(t, "none.yaml", "")
	direct := []string{"--vcenter", estate.URL(), "--username", estate.Username(), "--password-file", write(t, "password", estate.Password()), "--ca-file", estate.CAFile()}
	config := []string{"--config", file}
	tests := []struct {
		args []string
		code int
		says string
	}{
		{[]string{"status", "--config", none}, exitUsage, "no vCenter is configured"},
		{[]string{"status", "--config", file, "--vcenter-name", "vc9"}, exitUsage, `no vCenter "vc9"`},
		{[]string{"status", "--config", file, "--vcenter", "vc9"}, exitUsage, `no vCenter "vc9"`},
		{[]string{"status", "--config", file, "--host", "esx99"}, exitUsage, `no host fits "esx99"`},
		{[]string{"status", "--config", file, "--cluster", "Cluster-C"}, exitUsage, `no cluster fits "Cluster-C"`},
		{[]string{"status", "--config", file, "--target", "http://x"}, exitUsage, "--target"},
		{[]string{"status", "--vcenter", "http://x/sdk", "--username", "u"}, exitUsage, "want https://"},
		{append([]string{"status", "--nats", silentNATS, "--target", "x"}, direct...), exitFailed, ""},
		{append([]string{"status", "--vcenter-name", "vc2"}, direct...), exitUsage, "--vcenter-name vc2"},
		{append([]string{"point", "localhost"}, config...), exitUsage, "the host itself"},
		{append([]string{"point", "127.0.0.1"}, config...), exitUsage, "the host itself"},
		{append([]string{"point", "a,b"}, config...), exitUsage, "one collector"},
		{append([]string{"point", "http://a"}, config...), exitUsage, "none of udp, tcp, ssl"},
		{append([]string{"point", "tcp://a", "--tls"}, config...), exitUsage, "ssl://"},
		{append([]string{"point", "a", "--apply"}, config...), exitUsage, "--write-username"},
		{append([]string{"point", "a", "--apply", "--dry-run"}, config...), exitUsage, "only one of them"},
		{append([]string{"point", "a", "--parallel", "0"}, config...), exitUsage, "--parallel is 0"},
		{append([]string{"point", "a", "--resume", "x"}, config...), exitUsage, "needs --apply"},
		{append([]string{"point", "a", "--vcenters", "--host", "esx01"}, config...), exitUsage, "--vcenter-name"},
		{append([]string{"point", "a", "--apply", "--write-username", "w", "--nats", silentNATS, "--report", filepath.Join(t.TempDir(), "r")}, config...), exitUsage, "VEGRESS_VCENTER_VC1_WRITE_PASSWORD"},
		{[]string{"point"}, exitUsage, "accepts 1 arg"},
		{[]string{"bogus"}, exitUsage, "unknown command"},
	}
	for _, tt := range tests {
		got := command(t, append([]string{"hosts"}, tt.args...)...)
		if got.code != tt.code || !strings.Contains(got.err, tt.says) {
			t.Errorf("%q: exit code %d, want %d: %s", tt.args, got.code, tt.code, got.err)
		}
		if strings.Contains(got.err+got.out, estate.Password()) {
			t.Errorf("%q: shows the password", tt.args)
		}
	}
}

// pointTest is an estate to point.
type pointTest struct {
	*simulator.Estate
	t    *testing.T
	args []string // of every run
}

func newPointTest(t *testing.T) *pointTest {
	t.Helper()
	estate, vcenter := openEstate(t)
	return &pointTest{estate, t, []string{
		"hosts", "point", collectorName, "--config", write(t, "vegress.yaml", vcenter), "--nats", silentNATS,
		"--write-username", estate.Username(), "--write-password-file", write(t, "write.password", estate.Password()),
	}}
}

func (p *pointTest) point(ctx context.Context, args ...string) outcome {
	p.t.Helper()
	var out, err lockedBuffer
	code := Main(ctx, append(slices.Clone(p.args), args...), Streams{strings.NewReader(""), &out, &err})
	if strings.Contains(out.String()+err.String(), p.Password()) {
		p.t.Error("the password is shown")
	}
	return outcome{out.String(), err.String(), code}
}

func (p *pointTest) now() map[string]simulator.LogHost {
	all := map[string]simulator.LogHost{}
	for _, h := range p.Site.Hosts {
		all[h.Name] = p.LogHost(h.Name)
	}
	return all
}

// changed are the hosts that are not as they were.
func (p *pointTest) changed() (all []string) {
	now := p.now()
	for _, h := range p.Site.Hosts {
		if now[h.Name] != h.LogHost {
			all = append(all, h.Name)
		}
	}
	return all
}

// TestPointDryRun is the default, and changes nothing.
func TestPointDryRun(t *testing.T) {
	t.Parallel()
	p := newPointTest(t)
	got := p.point(t.Context())
	for _, want := range []string{
		"now       udp://siem.lab.example:514", "then      udp://siem.lab.example:514,tcp://vegress.lab.example:1514\n",
		"keeps     udp://siem.lab.example:514", "firewall  rule set syslog: closed, then open", "maxMsgLen",
		"replaces  tcp://vegress.lab.example:1514", "formatter=RFC_5424&framing=octet_counting",
		"5 to change, 1 as wished already, 0 refused. Nothing was changed",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("%q is not in\n%s", want, got.out)
		}
	}
	if got.code != exitOK || len(p.changed()) > 0 {
		t.Errorf("exit code %d, changed %q", got.code, p.changed())
	}
	var all pointJSON
	if err := json.Unmarshal([]byte(p.point(t.Context(), "--json", "--tls", "--host", "esx03").out), &all); err != nil || !all.DryRun || len(all.Plans) != 1 {
		t.Fatalf("%v, %+v", err, all)
	}
	if plan := all.Plans[0]; plan.Then != "ssl://vegress.lab.example:1514?formatter=RFC_5424&framing=octet_counting" || !plan.OpenRuleSet || plan.Now != "" {
		t.Errorf("got %+v", plan)
	}
	if strings.Contains(p.point(t.Context(), "--plain").out, "formatter=RFC_5424&framing=octet_counting\n  keeps") {
		t.Error("--plain asks for a format")
	}
}

// TestPointSelection: no host outside of the selection is touched.
func TestPointSelection(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"--host", "esx03"}, []string{"esx03.lab.example"}},
		{[]string{"--host", "ESX0[15].lab.example,esx05*"}, nil}, // no such class in patterns
		{[]string{"--host", "esx05*", "--host", "esx01.lab.example"}, []string{"esx01.lab.example", "esx05.lab.example"}},
		{[]string{"--cluster", "Cluster-A"}, []string{"esx01.lab.example", "esx02.lab.example", "esx03.lab.example"}},
		{[]string{"--cluster", "Cluster-A", "--host", "esx02"}, []string{"esx02.lab.example"}},
		{[]string{"--cluster", "Cluster-A", "--host", "esx05"}, nil},
	} {
		p := newPointTest(t)
		got := p.point(t.Context(), append(tt.args, "--apply", "--report", filepath.Join(t.TempDir(), "r"))...)
		if !slices.Equal(p.changed(), tt.want) {
			t.Errorf("%q: changed %q, want %q\n%s%s", tt.args, p.changed(), tt.want, got.out, got.err)
		}
		if len(p.Forwardings()) > 0 {
			t.Errorf("%q: the vCenter was pointed too", tt.args)
		}
	}
}

// TestPointApply: others' targets stay; a second run finds nothing to do.
func TestPointApply(t *testing.T) {
	t.Parallel()
	p := newPointTest(t)
	p.SetHostState("esx02.lab.example", false, false)
	report := filepath.Join(t.TempDir(), "report.jsonl")
	got := p.point(t.Context(), "--apply", "--report", report, "--parallel", "3")
	if got.code != exitFailed || !strings.Contains(got.out, "4 new, 1 as wished already, 0 undone, 0 left as they were, 1 refused, 0 in doubt") {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
	if !strings.Contains(got.err, "not waited for") || !strings.Contains(got.out, "esxcli system syslog reload") {
		t.Errorf("what could not be done is not said:\n%s%s", got.out, got.err)
	}
	for _, h := range p.Site.Hosts {
		now := p.LogHost(h.Name)
		if h.Name == "esx02.lab.example" {
			if now != h.LogHost {
				t.Errorf("%s: %+v", h.Name, now)
			}
			continue
		}
		if !now.RuleSet || strings.Count(now.Targets, collectorName) != 1 || strings.Contains(h.LogHost.Targets, "siem") != strings.Contains(now.Targets, "siem") {
			t.Errorf("%s: %+v became %+v", h.Name, h.LogHost, now)
		}
	}
	text, err := os.ReadFile(report)
	if err != nil || strings.Count(string(text), "\n") != 7 || strings.Contains(string(text), p.Password()) {
		t.Errorf("%v, report:\n%s", err, text)
	}
	if again := p.point(t.Context(), "--apply", "--host", "esx01", "--report", report); again.code != exitFailed || !strings.Contains(again.err, "exists") {
		t.Errorf("an old report is overwritten: %s", again.err)
	}
	p.SetHostState("esx02.lab.example", true, false)
	again := p.point(t.Context(), "--apply", "--resume", report)
	if again.code != exitOK || !strings.Contains(again.out, "1 new, 0 as wished already") || !strings.Contains(again.out, "5 done before") {
		t.Errorf("resumed: exit code %d\n%s%s", again.code, again.out, again.err)
	}
	if all := p.point(t.Context(), "--apply", "--report", report+"2"); all.code != exitOK || !strings.Contains(all.out, "0 new, 6 as wished already") {
		t.Errorf("again: exit code %d\n%s", all.code, all.out)
	}
	for _, wrong := range [][]string{{"--tls", "--resume", report}, {"--vcenters", "--resume", report}, {"--resume", p.args[4]}, {"--resume", report + "3"}} {
		if got := p.point(t.Context(), append(wrong, "--apply")...); got.code != exitUsage {
			t.Errorf("%q: exit code %d, %s", wrong, got.code, got.err)
		}
	}
}

// TestPointRefused: a host on which a right is missing is left as it was, and
// the others are pointed.
func TestPointRefused(t *testing.T) {
	t.Parallel()
	p := newPointTest(t)
	p.Refuse("UpdateOptions", "esx01.lab.example", 0, 0)
	p.Refuse("EnableRuleset", "esx05.lab.example", 0, 0)
	var all pointJSON
	got := p.point(t.Context(), "--apply", "--json", "--report", filepath.Join(t.TempDir(), "r"))
	if err := json.Unmarshal([]byte(got.out), &all); err != nil || got.code != exitFailed || len(all.Outcomes) != 6 {
		t.Fatalf("exit code %d, %v\n%s", got.code, err, got.out)
	}
	for _, o := range all.Outcomes {
		switch o.Host {
		case "esx01.lab.example":
			if o.State != loghost.Old || !strings.Contains(o.Error, "Host.Config.AdvancedConfig") {
				t.Errorf("%+v", o)
			}
		case "esx05.lab.example":
			if o.State != loghost.Undone || !strings.Contains(o.Error, "Host.Config.NetService") {
				t.Errorf("%+v", o)
			}
		default:
			if o.Failed() {
				t.Errorf("%+v", o)
			}
		}
	}
	if want := []string{"esx02.lab.example", "esx03.lab.example", "esx04.lab.example"}; !slices.Equal(p.changed(), want) {
		t.Errorf("changed %q, want %q", p.changed(), want)
	}
	login := command(t, append(slices.Clone(p.args), "--apply", "--write-username", "nobody", "--report", filepath.Join(t.TempDir(), "r"))...)
	if login.code != exitFailed || !strings.Contains(login.out, "refused") {
		t.Errorf("the wrong account: exit code %d\n%s%s", login.code, login.out, login.err)
	}
}

// TestPointWaits for the first line of a host: it arrives, or all is undone.
func TestPointWaits(t *testing.T) {
	t.Parallel()
	p := newPointTest(t)
	s := start(t, testConfig(t, "", nil))
	p.args[6] = s.broker.ClientURL()
	old := time.Now().Add(-time.Hour)
	seen := event.HostPath{Host: "esx01.lab.example", State: event.PathSilent, LastSeen: old}
	put(t, s, seen)
	got := p.point(t.Context(), "--apply", "--host", "esx01,esx03", "--wait", "1s", "--report", filepath.Join(t.TempDir(), "r"))
	if got.code != exitFailed || !strings.Contains(got.out, "2 undone") || !strings.Contains(got.out, "no line came within 1s") || len(p.changed()) > 1 {
		t.Errorf("no line: exit code %d, changed %q\n%s%s", got.code, p.changed(), got.out, got.err)
	}
	if now := p.LogHost("esx03.lab.example"); now.Targets != "" || now.RuleSet {
		t.Errorf("no line: %+v", now)
	}
	// The lines come once the hosts have their new list, one after the other.
	lines, quit, arrived := s.sender(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(arrived)
		for {
			select {
			case <-quit:
				return
			case <-time.After(100 * time.Millisecond):
			}
			if strings.Contains(p.LogHost("esx01.lab.example").Targets, collectorName) && strings.Contains(p.LogHost("esx03.lab.example").Targets, collectorName) {
				for _, name := range []string{"esx01", "esx03"} {
					fmt.Fprintf(lines, "<14>%s %s.lab.example vobd: a line\n", time.Now().UTC().Format(stamp), name)
				}
			}
		}
	}()
	got = p.point(t.Context(), "--apply", "--host", "esx01,esx03", "--wait", "1m", "--report", filepath.Join(t.TempDir(), "r"))
	close(quit)
	<-arrived
	if got.code != exitOK || strings.Count(got.out, "a line came") != 2 {
		t.Errorf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
}

// TestPointInterrupted: Ctrl-C leaves each host old or new, and the report says
// which.
func TestPointInterrupted(t *testing.T) {
	t.Parallel()
	p := newPointTest(t)
	s := start(t, testConfig(t, "", nil))
	p.args[6] = s.broker.ClientURL()
	ctx, interrupt := context.WithCancel(t.Context())
	go func() { // while the first host is waited for
		for p.LogHost("esx01.lab.example") == p.Site.Hosts[0].LogHost && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		interrupt()
	}()
	report := filepath.Join(t.TempDir(), "report.jsonl")
	got := p.point(ctx, "--apply", "--parallel", "1", "--wait", "10m", "--report", report)
	if got.code != exitFailed || !strings.Contains(got.out, "interrupted") || !strings.Contains(got.out, "left as they were") {
		t.Fatalf("exit code %d\n%s%s", got.code, got.out, got.err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]loghost.Outcome{}
	for line := range strings.Lines(string(text)) {
		var o loghost.Outcome
		if json.Unmarshal([]byte(line), &o) == nil && o.Host != "" {
			said[o.Host] = o
		}
	}
	for _, h := range p.Site.Hosts {
		o, now := said[h.Name], p.LogHost(h.Name)
		if want := map[bool]string{true: o.Then, false: o.Now}[o.State == loghost.New]; now.Targets != want || o.LogHost != want {
			t.Errorf("%s is %q, and said to be %s with %q", h.Name, now.Targets, o.State, o.LogHost)
		}
	}
	if o := said["esx01.lab.example"]; o.State != loghost.New || o.Confirmed {
		t.Errorf("the first: %+v", o)
	}
	if o := said["esx02.lab.example"]; o.State != loghost.Old {
		t.Errorf("the second: %+v", o)
	}
	if again := p.point(t.Context(), "--apply", "--wait", "0s", "--resume", report); again.code != exitOK || len(p.changed()) < 5 {
		t.Errorf("resumed: exit code %d, changed %q\n%s", again.code, p.changed(), again.out)
	}
}

// TestPointVCenters: a full list is refused, nothing is replaced.
func TestPointVCenters(t *testing.T) {
	t.Parallel()
	p := newPointTest(t)
	siem := simulator.Forwarding{Hostname: "siem.lab.example", Port: 514, Protocol: "RELP"}
	ours := simulator.Forwarding{Hostname: collectorName, Port: 1514, Protocol: "TCP"}
	report := func() string { return filepath.Join(t.TempDir(), "r") }
	p.SetForwardings(siem)
	if got := p.point(t.Context(), "--vcenters"); got.code != exitOK || !strings.Contains(got.out, "tcp://vegress.lab.example:1514") || len(p.Forwardings()) != 1 {
		t.Errorf("plan: exit code %d\n%s", got.code, got.out)
	}
	got := p.point(t.Context(), "--vcenters", "--apply", "--report", report())
	if want := []simulator.Forwarding{siem, ours}; got.code != exitOK || !slices.Equal(p.Forwardings(), want) {
		t.Errorf("exit code %d, %v\n%s", got.code, p.Forwardings(), got.out)
	}
	p.SetForwardings(siem, siem, siem)
	got = p.point(t.Context(), "--vcenters", "--apply", "--report", report())
	if got.code != exitFailed || !strings.Contains(got.out, "3 servers already") || !slices.Equal(p.Forwardings(), []simulator.Forwarding{siem, siem, siem}) {
		t.Errorf("full: exit code %d, %v\n%s", got.code, p.Forwardings(), got.out)
	}
	if len(p.changed()) > 0 {
		t.Errorf("hosts were changed: %q", p.changed())
	}
	p.RefuseAppliance()
	if got := p.point(t.Context(), "--vcenters", "--apply", "--report", report()); got.code != exitFailed || !strings.Contains(got.out, "role in the appliance") {
		t.Errorf("no right: exit code %d\n%s", got.code, got.out)
	}
}

func TestProgress(t *testing.T) {
	if p := newProgress(new(bytes.Buffer), 3); p.to != nil {
		t.Error("a bar where there is no terminal")
	}
	var out bytes.Buffer
	p := progress{to: &out, of: 3}
	p.step(false)
	p.step(true)
	if want := "\r[####################..........] 2 of 3, 1 failed"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("got %q", out.String())
	}
}

// TestHostilePaths: what others write into a host's options stays text.
func TestHostilePaths(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	evil := "udp://\x1b[2J\x1b]0;x\x07evil," + strings.Repeat("tcp://a,", 500) + "\n\r" + fmt.Sprint(strings.Repeat("é", 5000))
	estate.SetLogHost("esx01.lab.example", evil)
	file := write(t, "vegress.yaml", vcenter)
	for _, args := range [][]string{{"hosts", "status", "--config", file, "--nats", silentNATS}, {"hosts", "point", "x.example", "--config", file}} {
		got := command(t, args...)
		if strings.ContainsAny(got.out+got.err, "\x1b\x07\r") {
			t.Errorf("%q writes control characters", args)
		}
		for line := range strings.Lines(got.out) {
			if args[1] == "status" && len(line) > 1000 {
				t.Errorf("a line of %d bytes", len(line))
			}
		}
		if args[1] == "point" && !strings.Contains(got.out, "change it by hand") {
			t.Errorf("a list that is not understood is changed:\n%.2000s", got.out)
		}
	}
}

// TestServiceReadsLogHosts: a running service knows where hosts send their
// syslog, and says so in its metrics.
func TestServiceReadsLogHosts(t *testing.T) {
	t.Parallel()
	_, vcenter := openEstate(t)
	s := start(t, testConfig(t, write(t, "vegress.yaml", vcenter), nil))
	s.eventually("the log hosts read", func() bool { return len(s.logHostStates()) > 0 })
	all := scrapeMetrics(t, s)
	for state, want := range map[string]int64{"set": 3, "unset": 2, "blocked": 1, "unread": 0} {
		name := fmt.Sprintf("vegress_log_hosts{state=%q,vcenter=\"vc1\"}", state)
		if got, there := all[name]; !there || got != want {
			t.Errorf("%s is %d, %t; want %d", name, got, there, want)
		}
	}
}

// TestServiceTellsTargets: the log hosts that the service reads come to be in
// the log path of each host.
func TestServiceTellsTargets(t *testing.T) {
	t.Parallel()
	estate, vcenter := openEstate(t)
	estate.SetForwardings(simulator.Forwarding{Hostname: collectorName, Port: 1514, Protocol: "TCP"})
	s := start(t, testConfig(t, write(t, "vegress.yaml", vcenter), nil))
	want := map[string]string{
		"esx01.lab.example": "[udp://siem.lab.example:514]",
		"esx02.lab.example": "[]",
		"esx04.lab.example": "[tcp://vegress.lab.example:1514 udp://siem.lab.example:514]",
		"esx06.lab.example": "[tcp://vegress.lab.example:1514]",
		"vc1.lab.example":   "[tcp://vegress.lab.example:1514]",
	}
	s.eventually("the targets of all in the bucket", func() bool {
		all, err := forward.HostPaths(t.Context(), s.conn)
		if err != nil {
			t.Fatal(err)
		}
		right := 0
		for _, h := range all {
			if h.Targets != nil && fmt.Sprint(h.Targets) == want[h.Host] || h.Host == "esx02.lab.example" && len(h.Targets) == 0 {
				right++
			}
		}
		return right == len(want)
	})
}

// BenchmarkHostsStatus is the command over 1,000 hosts, in a process of its
// own: the simulated vCenter's work is not in its CPU time.
func BenchmarkHostsStatus(b *testing.B) {
	const hosts = 1000
	estate, err := simulator.Start(b.Context(), simulator.Options{Hosts: hosts, VMs: 16})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = estate.Close() })
	args := []string{
		"hosts", "status", "--json", "--nats", silentNATS, "--target", collectorName, "--vcenter", estate.URL(),
		"--username", estate.Username(), "--password-file", write(b, "password", estate.Password()), "--ca-file", estate.CAFile(),
	}
	var cpu time.Duration
	before := estate.Calls()
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), os.Args[0], args...)
		cmd.Env = append(os.Environ(), asCommand+"=1")
		out, err := cmd.Output()
		var r hostsStatus
		if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != exitFailed || json.Unmarshal(out, &r) != nil || len(r.Hosts) != hosts {
			b.Fatalf("%v: %d hosts", err, len(r.Hosts))
		}
		cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(float64(estate.Calls()-before)/float64(b.N), "calls/op")
	b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
}
