package webservice_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vegress/vegress/analytics/webservice"
	"github.com/vegress/vegress/configs/catalogue"
	"github.com/vegress/vegress/event"
)

// Files of our own, in the providers' formats, with documentation addresses.
const (
	awsFile = `{"syncToken": "1", "createDate": "2026-11-01-00-00-00",
 "prefixes": [
  {"ip_prefix": "198.51.0.0/16", "region": "eu-central-1", "service": "AMAZON", "network_border_group": "eu-central-1"},
  {"ip_prefix": "198.51.100.0/24", "region": "eu-central-1", "service": "AMAZON", "network_border_group": "eu-central-1"},
  {"ip_prefix": "198.51.100.0/24", "region": "eu-central-1", "service": "S3", "network_border_group": "eu-central-1"},
  {"ip_prefix": "198.51.100.0/24", "region": "eu-central-1", "service": "EC2", "network_border_group": "eu-central-1"},
  {"ip_prefix": "198.51.101.0/24", "region": "eu-central-1", "service": "EC2", "network_border_group": "eu-central-1"},
  {"ip_prefix": "198.51.102.0/24", "region": "GLOBAL", "service": "API_GATEWAY", "network_border_group": "GLOBAL"}],
 "ipv6_prefixes": [{"ipv6_prefix": "2001:db8:a::/48", "region": "GLOBAL", "service": "CLOUDFRONT", "network_border_group": "GLOBAL"}]}`
	googFile  = `{"syncToken": "1", "creationTime": "x", "prefixes": [{"ipv4Prefix": "203.0.0.0/16"}, {"ipv6Prefix": "2001:db8:b::/48"}]}`
	cloudFile = `{"syncToken": "1", "creationTime": "x", "prefixes": [{"ipv4Prefix": "203.0.113.0/24", "service": "Google Cloud", "scope": "us-east1"}]}`
	azureFile = "\xEF\xBB\xBF" + `{"changeNumber": 1, "cloud": "Public", "values": [
 {"name": "AzureCloud", "id": "AzureCloud", "properties": {"region": "", "platform": "Azure", "systemService": "", "addressPrefixes": ["192.0.0.0/16", "192.0.2.0/25"]}},
 {"name": "Storage.WestEurope", "id": "x", "properties": {"region": "westeurope", "platform": "Azure", "systemService": "AzureStorage", "addressPrefixes": ["192.0.2.0/25"]}},
 {"name": "EventHub", "id": "x", "properties": {"region": "", "platform": "Azure", "systemService": "AzureEventHub", "addressPrefixes": ["192.0.2.128/25"]}}]}`
	githubFile = `{"verifiable_password_authentication": false, "ssh_keys": ["ssh-ed25519 AAAA"], "domains": {"website": ["*.github.com"]},
 "hooks": ["192.30.252.0/22"], "web": ["192.30.252.0/22"], "api": ["192.30.252.0/22", "20.201.28.148/32"], "git": ["192.30.252.0/22"],
 "pages": ["192.30.252.153/32"], "actions": ["4.148.0.0/16", "192.30.252.0/22"]}`
	cloudflareFile = `{"result": {"ipv4_cidrs": ["103.21.244.0/22"], "ipv6_cidrs": ["2400:cb00::/32"], "etag": "x"}, "success": true}`
)

func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestProviderRanges(t *testing.T) {
	dir := folder(t, map[string]string{
		"aws.json": awsFile, "goog.json": googFile, "cloud.json": cloudFile, "azure.json": azureFile,
		"meta.json": githubFile, "cf.json": cloudflareFile,
	})
	c, err := webservice.Load(catalogue.Files, webservice.Options{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]string{
		"198.51.1.1":      "cloud:Amazon Web Services",
		"198.51.100.7":    "cloud_storage:Amazon S3", // the narrowest of three
		"198.51.101.7":    "cloud:Amazon EC2",
		"198.51.102.7":    "cloud:AWS API_GATEWAY",
		"2001:db8:a::1":   "cdn:Amazon CloudFront",
		"203.0.1.1":       "cloud:Google",
		"203.0.113.9":     "cloud:Google Cloud",
		"2001:db8:b::1":   "cloud:Google",
		"192.0.1.1":       "cloud:Microsoft Azure",
		"192.0.2.1":       "cloud_storage:Azure Storage",
		"192.0.2.129":     "cloud:Azure EventHub",
		"192.30.252.1":    "code_hosting:GitHub",
		"192.30.252.153":  "code_hosting:GitHub Pages",
		"20.201.28.148":   "code_hosting:GitHub API",
		"4.148.0.1":       "cloud:GitHub Actions",
		"103.21.244.1":    "cdn:Cloudflare",
		"2400:cb00::1":    "cdn:Cloudflare",
		"149.154.167.220": "messaging:Telegram", // built in
		"100.64.0.1":      "-",
	} {
		if got := text(c.Addr(netip.MustParseAddr(addr))); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
}

// What the user says of a prefix goes before all that a provider has in it,
// in whatever order the files are read.
func TestUserBeforeProviders(t *testing.T) {
	site := "[ours]\nOur cloud = 198.51.0.0/16\n[none]\nx = 203.0.112.0/20\n[ours]\nOne = 192.0.2.1/32\n"
	for _, names := range [][]string{{"a.ini", "b.json", "c.json", "d.json"}, {"z.ini", "b.json", "c.json", "d.json"}} {
		dir := folder(t, map[string]string{names[0]: site, names[1]: awsFile, names[2]: cloudFile, names[3]: azureFile})
		paths := []string{filepath.Join(dir, names[1]), filepath.Join(dir, names[0]), filepath.Join(dir, names[2]), filepath.Join(dir, names[3])}
		for _, o := range []webservice.Options{{Paths: []string{dir}}, {Paths: paths}} {
			c, err := webservice.Load(catalogue.Files, o)
			if err != nil {
				t.Fatal(err)
			}
			for addr, want := range map[string]string{
				"198.51.100.7": "ours:Our cloud", "203.0.113.9": "-", "192.0.2.1": "ours:One", "192.0.2.2": "cloud_storage:Azure Storage",
			} {
				if got := text(c.Addr(netip.MustParseAddr(addr))); got != want {
					t.Errorf("%v: %s: got %s, want %s", o.Paths, addr, got, want)
				}
			}
		}
	}
}

// A name says more than an address: what the catalogue has for it counts.
func TestNameBeforeRange(t *testing.T) {
	c, err := webservice.Load(catalogue.Files, webservice.Options{Paths: []string{folder(t, map[string]string{"a.json": awsFile})}})
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"pastebin.com": "Pastebin ", "www.example.org": "Amazon EC2 ", "": "Amazon EC2 catalogue"} {
		ev := event.Event{Dst: event.Endpoint{IP: netip.MustParseAddr("198.51.101.7"), Hostname: host}}
		c.Annotate(&ev)
		if got := ev.Dst.Service + " " + ev.Dst.NameVia; got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
}

func TestRangeErrors(t *testing.T) {
	f := func(data, want string) {
		t.Helper()
		_, err := webservice.Load(catalogue.Files, webservice.Options{Paths: []string{folder(t, map[string]string{"bad.json": data})}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "bad.json") {
			t.Errorf("%.60q: error %v, want one with the file and %q", data, err, want)
		}
	}
	f(`{"prefixes": [`, "bad.json:1: unexpected end")
	f("{\n\"a\": \n!}", "bad.json:3: invalid character")
	f("{\"a\": 1}", "no range file of AWS")
	f("{\"prefixes\": [\n{\"ip_prefix\": \"198.51.100.0/24\", \"service\": \"S3\"},\n{\"ip_prefix\": \"198.51.100.0/33\", \"service\": \"S3\"}],\n\"ipv6_prefixes\": []}", `bad.json:3: prefix "198.51.100.0/33"`)
	f("{\"prefixes\": [\n{\"ipv4Prefix\": \"0.0.0.0/0\"}]}", `bad.json:2: prefix "0.0.0.0/0": wider than`)
	f(`{"prefixes": [{"scope": "x"}]}`, `prefix ""`)
	f(`{"prefixes": {"a": 1}, "ipv6_prefixes": []}`, "cannot unmarshal")
	f("{\"web\": [],\n\"git\": {}}", "bad.json:2: \"git\"")
	f(`{"result": {}}`, "no ipv4_cidrs")
}

func FuzzRanges(f *testing.F) {
	for _, s := range []string{awsFile, googFile, cloudFile, azureFile, githubFile, cloudflareFile, "[a]\nB = 192.0.2.0/24"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, data string) {
		c, err := webservice.Load(fstest.MapFS{"a.json": {Data: []byte(data)}}, webservice.Options{})
		if err != nil {
			if !strings.Contains(err.Error(), "a.json") {
				t.Errorf("error without the file: %v", err)
			}
			return
		}
		for _, a := range []string{"198.51.100.7", "2001:db8::1"} {
			if s := c.Addr(netip.MustParseAddr(a)); s != nil && s.Category == "" {
				t.Errorf("%s is %+v", a, s)
			}
		}
	})
}

// large is a file of AWS' format with that many prefixes.
func large(n int) string {
	var b strings.Builder
	b.WriteString(`{"syncToken": "1", "prefixes": [`)
	services := []string{"AMAZON", "EC2", "S3", "CLOUDFRONT", "ROUTE53", "API_GATEWAY"}
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n  {\"ip_prefix\": \"%d.%d.%d.0/%d\", \"region\": \"eu-central-1\", \"service\": \"%s\", \"network_border_group\": \"eu-central-1\"}",
			20+i*7%180, i>>8&255, i&255, 18+i%7, services[i%len(services)])
	}
	b.WriteString(`], "ipv6_prefixes": []}`)
	return b.String()
}

func BenchmarkRanges(b *testing.B) {
	for _, n := range []int{10, 10000, 100000} {
		path := filepath.Join(folder(b, map[string]string{"a.json": large(n)}), "a.json")
		b.Run(fmt.Sprintf("load/prefixes=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := webservice.Load(catalogue.Files, webservice.Options{Paths: []string{path}}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("address/prefixes=%d", n), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			c, err := webservice.Load(catalogue.Files, webservice.Options{Paths: []string{path}})
			if err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
			ev := event.Event{}
			i := uint32(0)
			b.ReportAllocs()
			for b.Loop() {
				i += 2654435761
				ev.Dst = event.Endpoint{IP: netip.AddrFrom4([4]byte{byte(20 + i>>24%180), byte(i >> 16), byte(i >> 8), byte(i)})}
				c.Annotate(&ev)
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB")
			runtime.KeepAlive(c)
		})
	}
}
