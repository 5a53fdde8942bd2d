package accesslog_test

import (
	"fmt"
	"testing"

	"github.com/vegress/vegress/accesslog"
)

func ExampleParseSquid() {
	l, ok := accesslog.ParseSquid(`1788000000.123   2812 10.0.1.15 TCP_TUNNEL/200 5435 CONNECT www.example.com:443 jane HIER_DIRECT/203.0.113.40 - "curl/8"`)
	fmt.Println(ok, l.Client, l.User, l.Method, l.URL, l.Result, l.Status, l.Bytes, l.Way, l.Whom, l.Rest)
	// Output: true 10.0.1.15 jane CONNECT www.example.com:443 TCP_TUNNEL 200 5435 HIER_DIRECT 203.0.113.40 "curl/8"
}

func ExampleParseCombined() {
	l, ok := accesslog.ParseCombined(`10.0.0.5 - jane [02/Mar/2024:10:11:12 +0000] "GET /ui HTTP/1.1" 302 512 "-" "Mozilla/5.0 (\"x\")" TCP_MISS:HIER_DIRECT`)
	fmt.Println(ok, l.Client, l.User, l.Time, l.Method, l.Target, l.Version, l.Status, l.Bytes, l.Referer, l.UserAgent, l.Rest)
	// Output: true 10.0.0.5 jane 02/Mar/2024:10:11:12 +0000 GET /ui HTTP/1.1 302 512 - Mozilla/5.0 (\"x\") TCP_MISS:HIER_DIRECT
}

func TestOthers(t *testing.T) {
	for _, line := range []string{
		"", "x", "1788000000 1 10.0.1.15 TCP_MISS/200 1 GET http://a.example/ - HIER_DIRECT/203.0.113.40 -",
		`10.0.0.5 - - [x] "GET /ui FTP/1.1" 302 512`, `10.0.0.5 - - x] "GET /ui HTTP/1.1" 302 512`, `10.0.0.5 [x] "GET`,
	} {
		if l, ok := accesslog.ParseSquid(line); ok {
			t.Errorf("%q became %+v", line, l)
		}
		if l, ok := accesslog.ParseCombined(line); ok {
			t.Errorf("%q became %+v", line, l)
		}
	}
	// Cut behind the request.
	if l, ok := accesslog.ParseCombined(`10.0.0.5 - - [x] "GET /ui HTTP/1.1" 302 512 "http://cut`); !ok || l.Bytes != "512" || l.Referer != "http://cut" {
		t.Errorf("got %+v", l)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1788000000.123 1 10.0.1.15 TCP_MISS/200 1 GET http://a.example/ - HIER_DIRECT/203.0.113.40 -")
	f.Add(`10.0.0.5 - jane [02/Mar/2024:10:11:12 +0000] "GET /ui HTTP/1.1" 302 512 "-" "Mozilla/5.0"`)
	f.Fuzz(func(t *testing.T, line string) {
		l, _ := accesslog.ParseSquid(line)
		c, _ := accesslog.ParseCombined(line)
		for _, part := range []string{l.URL, l.Whom, l.Rest, c.Target, c.UserAgent, c.Rest} {
			if len(part) > len(line) {
				t.Errorf("%q is longer than %q", part, line)
			}
		}
	})
}
