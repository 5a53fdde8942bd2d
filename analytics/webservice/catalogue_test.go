package webservice_test

import (
	"bufio"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vegress/vegress/analytics/webservice"
	"github.com/vegress/vegress/configs/catalogue"
	"github.com/vegress/vegress/event"
)

func load(t testing.TB, builtin string, user ...string) *webservice.Catalogue {
	t.Helper()
	var paths []string
	for i, text := range user {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.ini", i))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	c, err := webservice.Load(fstest.MapFS{"a.ini": {Data: []byte(builtin)}}, webservice.Options{Paths: paths})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func builtin(t testing.TB) *webservice.Catalogue {
	t.Helper()
	c, err := webservice.Load(catalogue.Files, webservice.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func text(s *webservice.Service) string {
	if s == nil {
		return "-"
	}
	return s.Category + ":" + s.Name
}

func TestBuiltinHosts(t *testing.T) {
	c := builtin(t)
	f := func(host, want string) {
		t.Helper()
		if got := text(c.Host(host)); got != want {
			t.Errorf("Host(%q) = %s, want %s", host, got, want)
		}
	}
	f("api.telegram.org", "messaging:Telegram")
	f("API.Telegram.ORG.", "messaging:Telegram")
	f("pastebin.com", "paste:Pastebin")
	f("raw.githubusercontent.com", "code_hosting:GitHub Raw")
	f("avatars.githubusercontent.com", "code_hosting:GitHub")
	f("abc.ngrok-free.app", "tunnel:ngrok")
	f("bucket.s3.eu-central-1.amazonaws.com", "cloud_storage:Amazon S3")
	f("bucket.s3-us-west-2.amazonaws.com", "cloud_storage:Amazon S3")
	f("ec2.eu-central-1.amazonaws.com", "-")
	f("bedrock-runtime.us-east-1.amazonaws.com", "ai:Amazon Bedrock")
	f("cdn42.space", "cdn:Space CDN")
	f("mycdn.space", "-")
	f("notdropbox.com", "-")
	f("dropbox.com.evil.example", "-")
	f("dropbox.com", "cloud_storage:Dropbox")
	f("www.dropbox.com", "cloud_storage:Dropbox")
	f("com", "-")
	f("", "-")
	f(".", "-")
	f("..", "-")
	f(strings.Repeat("a.", 120)+"discord.com", "messaging:Discord")
	f(strings.Repeat("a", 300)+".discord.com", "-")
}

func TestBuiltinAddresses(t *testing.T) {
	c := builtin(t)
	f := func(addr, want string) {
		t.Helper()
		if got := text(c.Addr(netip.MustParseAddr(addr))); got != want {
			t.Errorf("Addr(%s) = %s, want %s", addr, got, want)
		}
	}
	f("149.154.167.220", "messaging:Telegram")
	f("::ffff:149.154.167.220", "messaging:Telegram")
	f("2001:67c:4e8:f004::9", "messaging:Telegram")
	f("185.199.108.133", "code_hosting:GitHub")
	f("149.154.176.1", "-")
	f("203.0.113.9", "-")
	if got := c.Addr(netip.Addr{}); got != nil {
		t.Errorf("Addr(zero) = %v, want nil", got)
	}
}

func TestAnnotate(t *testing.T) {
	c := load(t, "[paste]\nPB = pastebin.com\n[messaging]\nTG = t.me 192.0.2.0/24\nHost = 192.0.2.7/32")
	tests := []struct {
		name, ip, host, url  string
		service, cat, viaWas string
	}{
		{"host", "192.0.2.1", "www.pastebin.com", "", "PB", "paste", ""},
		{"address where the host says nothing", "192.0.2.1", "x.example", "", "TG", "messaging", ""},
		{"address alone", "192.0.2.1", "", "", "TG", "messaging", "catalogue"},
		{"longest prefix", "192.0.2.7", "", "", "Host", "messaging", "catalogue"},
		{"url", "", "", "https://user:p@pastebin.com:8443/raw/1?x=@t.me", "PB", "paste", ""},
		{"path only", "", "", "/t.me/x", "", "", ""},
		{"url of an address", "", "", "http://[2001:db8::1]/", "", "", ""},
		{"shared name", "203.0.113.1", "pastebin.com", "", "PB", "paste", "dns_shared"},
		{"shared name against the address", "192.0.2.1", "pastebin.com", "", "PB", "paste", "dns_shared"},
		{"shared name as the address", "192.0.2.1", "t.me", "", "TG", "messaging", "dns_shared+catalogue"},
		{"shared name that says nothing", "192.0.2.1", "x.example", "", "TG", "messaging", "dns_shared+catalogue"},
		{"nothing", "198.51.100.1", "", "", "", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ev := event.Event{URL: tt.url, Dst: event.Endpoint{Hostname: tt.host}}
			if strings.HasPrefix(tt.name, "shared") {
				ev.Dst.NameVia = "dns_shared"
			}
			if tt.ip != "" {
				ev.Dst.IP = netip.MustParseAddr(tt.ip)
			}
			c.Annotate(&ev)
			if ev.Dst.Service != tt.service || ev.Dst.Category != tt.cat || ev.Dst.NameVia != tt.viaWas {
				t.Errorf("got %q %q via %q, want %q %q via %q",
					ev.Dst.Service, ev.Dst.Category, ev.Dst.NameVia, tt.service, tt.cat, tt.viaWas)
			}
			if ev.Dst.Hostname != tt.host {
				t.Errorf("host name became %q", ev.Dst.Hostname)
			}
		})
	}
}

func TestUserFilesOverride(t *testing.T) {
	c := load(t, "[paste]\nPB = pastebin.com\nOther = other.example\n",
		"[ours]\nDemo = 203.0.113.0/24 demo.example\n[trusted]\nOur paste = pastebin.com",
		"[none]\nx = other.example\n[ours]\nSecond = 203.0.113.0/24")
	for host, want := range map[string]string{
		"pastebin.com": "trusted:Our paste", "other.example": "-", "a.demo.example": "ours:Demo",
	} {
		if got := text(c.Host(host)); got != want {
			t.Errorf("Host(%q) = %s, want %s", host, got, want)
		}
	}
	if got := text(c.Addr(netip.MustParseAddr("203.0.113.5"))); got != "ours:Second" {
		t.Errorf("address = %s", got)
	}
}

func TestUserFolder(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string]string{"a.ini": "[x]\nA = a.example", "b.ini": "[y]\nB = b.example", "README": "no catalogue"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := webservice.Load(catalogue.Files, webservice.Options{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	if got := text(c.Host("b.example")); got != "y:B" {
		t.Errorf("got %s", got)
	}
}

func TestLoadErrors(t *testing.T) {
	f := func(data, want string) {
		t.Helper()
		_, err := webservice.Load(fstest.MapFS{"a.ini": {Data: []byte(data)}}, webservice.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "a.ini:") {
			t.Errorf("Load(%q): error %v, want one with file, line and %q", data, err, want)
		}
	}
	f("A = a.example", "before the first [category]")
	f("[x]\nA a.example", "want \"service = ")
	f("[]\n", "want one word")
	f("[x]\nA = .a.example", "no leading dot")
	f("[x]\nA = com", "two labels")
	f("[x]\nA = a.*", "last label")
	f("[x]\nA = ex_ample.com b!.com", "character '!'")
	f("[x]\nA = 10.0.0.0/33", "prefix \"10.0.0.0/33\"")
	f("[x]\nA = a.example\nB = A.example.", "listed at")
	f("[x]\nA = a.b.c.d.e.f.g.h.i", "at most 8")
	if _, err := webservice.Load(catalogue.Files, webservice.Options{Paths: []string{"/does/not/exist"}}); err == nil {
		t.Error("a path that is not there was accepted")
	}
}

// TestCorpusCovered reads the host suffixes that public detection rules for
// T1102 name and wants each of them in the catalogue.
func TestCorpusCovered(t *testing.T) {
	corpus := os.Getenv("VEGRESS_CORPUS")
	if corpus == "" {
		t.Skip("VEGRESS_CORPUS is not set")
	}
	f, err := os.Open(filepath.Join(corpus, "t1102", "domains.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// Where a rule has wildcards, a name that it means.
	sample := strings.NewReplacer("eth-mainnet*", "eth-mainnet.g.alchemy.com", "ethereum*", "ethereum.publicnode.com",
		"oast*", "oast.fun", "eth.*.com", "eth.llamarpc.com", "cdn??.space", "cdn07.space", "store?", "store4", "*", "x1", "(guess)", "")
	c, rows, missed := builtin(t), 0, 0
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		col := strings.Split(lines.Text(), "\t")
		if col[0] == "match_suffix" {
			continue
		}
		rows++
		host := col[0]
		if host == "(pattern)" {
			host = col[1]
		}
		host = strings.TrimSpace(sample.Replace(host))
		if c.Host(host) == nil || c.Host("sub."+host) == nil {
			missed++
			t.Errorf("%s (%s) is not in the catalogue", host, col[2])
		}
	}
	t.Logf("%d of %d suffixes are in the catalogue", rows-missed, rows)
	if rows < 400 {
		t.Errorf("only %d rows", rows)
	}
}

func TestNoAllocation(t *testing.T) {
	c := builtin(t)
	ev := event.Event{Dst: event.Endpoint{IP: netip.MustParseAddr("149.154.167.220"), Hostname: "bucket.s3.eu-central-1.amazonaws.com"}}
	if n := testing.AllocsPerRun(100, func() { c.Annotate(&ev) }); n != 0 {
		t.Errorf("Annotate allocates %v times", n)
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"api.telegram.org", "s3.x.amazonaws.com", "..", "cdn1.space", "*.space"} {
		f.Add(s)
	}
	c := builtin(f)
	f.Fuzz(func(t *testing.T, host string) {
		s := c.Host(host)
		if s == nil || strings.HasSuffix(host, ".") {
			return
		}
		// Whole labels count: a label more in front changes nothing, unless
		// something longer is listed; a letter more in front of a name that
		// is listed itself makes it another name.
		if len(host) < 200 && c.Host("sub."+host) == nil {
			t.Errorf("%q is known, a name below it is not", host)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add("[a]\nB = c.example 192.0.2.0/24 # x\n")
	f.Add("[a]\n= \n[none]\nB=c*.d")
	f.Fuzz(func(t *testing.T, data string) {
		c, err := webservice.Load(fstest.MapFS{"a.ini": {Data: []byte(data)}}, webservice.Options{})
		if err == nil {
			c.Host("www.c.example")
			c.Addr(netip.MustParseAddr("192.0.2.1"))
		}
	})
}

func BenchmarkAnnotate(b *testing.B) {
	c := builtin(b)
	for _, bb := range []struct{ name, host, ip string }{
		{"host", "api.telegram.org", "149.154.167.220"},
		{"pattern", "bucket.s3.eu-central-1.amazonaws.com", "52.219.1.1"},
		{"unlisted", "www.example.com", "203.0.113.9"},
		{"address", "", "149.154.167.220"},
		{"nothing", "", "10.1.2.3"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			ev := event.Event{Dst: event.Endpoint{Hostname: bb.host, IP: netip.MustParseAddr(bb.ip)}}
			b.ReportAllocs()
			for b.Loop() {
				ev.Dst.NameVia = ""
				c.Annotate(&ev)
			}
		})
	}
}

func ExampleCatalogue_Annotate() {
	c, err := webservice.Load(catalogue.Files, webservice.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ev := event.Event{Dst: event.Endpoint{Hostname: "api.telegram.org"}}
	c.Annotate(&ev)
	fmt.Println(ev.Dst.Service, ev.Dst.Category)
	// Output: Telegram messaging
}
