package loghost_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vegress/vegress/vsphere/loghost"
)

func TestParseTargets(t *testing.T) {
	tests := []struct {
		in   string
		want string // endpoints and options; faults as "!"
	}{
		{"", ""},
		{" ", ""},
		{"<none>", ""},
		{"siem.example.com", "udp://siem.example.com:514"},
		{"siem.example.com:5514", "udp://siem.example.com:5514"},
		{"10.0.0.9", "udp://10.0.0.9:514"},
		{"udp://siem.example.com", "udp://siem.example.com:514"},
		{"tcp://siem.example.com", "tcp://siem.example.com:1514"},
		{"ssl://siem.example.com", "ssl://siem.example.com:1514"},
		{"SSL://SIEM.example.com:6514", "ssl://SIEM.example.com:6514"},
		{"tcp://c:1514?formatter=RFC_5424&framing=octet_counting", "tcp://c:1514?formatter=RFC_5424&framing=octet_counting"},
		{"tcp://c?framing=non_transparent", "tcp://c:1514?framing=non_transparent"},
		{"tcp://c:1514?new_option=1", "tcp://c:1514"},
		{"udp://[2001:db8::1]:514", "udp://[2001:db8::1]:514"},
		{"tcp://[2001:db8::1]", "tcp://[2001:db8::1]:1514"},
		{"2001:db8::1", "udp://[2001:db8::1]:514"},
		{"udp://a:514, tcp://b:1514,", "udp://a:514 tcp://b:1514"},
		{"udp://a,,udp://a", "udp://a:514 udp://a:514"},
		{"http://a:80", "!"},
		{"udp://", "!"},
		{"udp://a:", "!"},
		{"udp://a:0", "!"},
		{"udp://a:65536", "!"},
		{"udp://a:+514", "!"},
		{"udp://a:b:c", "!"},
		{"udp://[2001:db8::1", "!"},
		{"udp://[10.0.0.1]:514", "!"},
		{"udp://[2001:db8::1]514", "!"},
		{"udp://a b", "!"},
		{"udp://\x1b[2Jevil", "!"},
		{"udp://user:pw@a:514", "!"},
		{"udp://a:514,%zz", "udp://a:514 !"},
		{"udp://" + strings.Repeat("a", 300), "!"},
		{strings.Repeat("udp://a,", 64), strings.TrimSpace(strings.Repeat("udp://a:514 ", 64))},
		{strings.Repeat("udp://a,", 99), strings.TrimSpace(strings.Repeat("udp://a:514 ", 64)) + " !"},
		{strings.Repeat(",", 1<<20), "!"},
	}
	for _, tt := range tests {
		var got []string
		for _, one := range loghost.ParseTargets(tt.in) {
			if one.Fault != "" {
				got = append(got, "!")
			} else {
				got = append(got, one.String())
			}
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%.60q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

// FuzzParseTargets: no list makes it panic or lose an entry, and what it
// understood reads back as the same.
func FuzzParseTargets(f *testing.F) {
	for _, seed := range []string{
		"", "udp://a:514,tcp://[2001:db8::1]:1514?formatter=RFC_5424&framing=octet_counting", "a,b:1,ssl://c", "<none>",
		"tcp://x?formatter=%2", "udp://[::1%25eth0]:514", "udp://\x00", "tcp://x:1514?formatter=a%26framing%3Db",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		all := loghost.ParseTargets(list)
		if len(all) > 65 {
			t.Fatalf("%d targets", len(all))
		}
		for _, one := range all {
			if one.Raw == "" || !strings.Contains(list, one.Raw) {
				t.Errorf("entry %q is not of the list %q", one.Raw, list)
			}
			if one.Fault != "" {
				if one.Host != "" || one.Port != 0 {
					t.Errorf("a fault with a host: %+v", one)
				}
				continue
			}
			again := loghost.ParseTargets(one.String())
			if len(again) != 1 || again[0].String() != one.String() || again[0].Fault != "" {
				t.Errorf("%q became %q, then %+v", one.Raw, one.String(), again)
			}
			if utf8.ValidString(list) && strings.ContainsAny(one.Endpoint(), ", \x1b") {
				t.Errorf("endpoint %q", one.Endpoint())
			}
		}
	})
}

func TestPassesStock(t *testing.T) {
	for target, want := range map[string]bool{
		"udp://a:514": true, "tcp://a:514": true, "tcp://a:1514": true, "ssl://a:1514": true,
		"udp://a:1514": false, "tcp://a:6514": false, "ssl://a:6514": false, "ssl://a:514": true,
	} {
		if got := loghost.ParseTargets(target)[0].PassesStock(); got != want {
			t.Errorf("%s: got %t", target, got)
		}
	}
}

// book resolves the names of a test.
func book() *loghost.Book {
	return &loghost.Book{Lookup: func(_ context.Context, _, host string) ([]netip.Addr, error) {
		switch host {
		case "alias.example.com":
			return []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.50")}, nil
		case "siem.example.com", "siem.lab.example":
			return []netip.Addr{netip.MustParseAddr("10.0.0.9")}, nil
		}
		return nil, errors.New("no such host")
	}}
}

func TestOurs(t *testing.T) {
	n := &loghost.Names{
		Hosts: []string{"vegress.example.com"}, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.50"), netip.MustParseAddr("2001:db8::50")},
		Ports: []int{514, 1514},
	}
	b := book()
	for list, want := range map[string]loghost.Answer{
		"tcp://vegress.example.com:1514":                   loghost.Yes,
		"tcp://VEGRESS.example.com.:1514":                  loghost.Yes,
		"tcp://alias.example.com":                          loghost.Yes,
		"10.0.0.50":                                        loghost.Yes,
		"tcp://[2001:db8:0::50]:1514":                      loghost.Yes,
		"tcp://vegress.example.com:6514":                   loghost.No,
		"udp://siem.example.com":                           loghost.No,
		"udp://nowhere.example.com":                        loghost.Unknown,
		"udp://nowhere.example.com,udp://siem.example.com": loghost.Unknown,
		"udp://nowhere.example.com,tcp://10.0.0.50":        loghost.Yes,
		"":                           loghost.No,
		"http://vegress.example.com": loghost.No,
	} {
		if got := b.Among(t.Context(), n, loghost.ParseTargets(list)); got != want {
			t.Errorf("%s: got %s, want %s", list, got, want)
		}
	}
}

func TestBookIsBounded(t *testing.T) {
	asked := 0
	b := &loghost.Book{Lookup: func(context.Context, string, string) ([]netip.Addr, error) { asked++; return nil, errors.New("no") }}
	for i := range 2000 {
		b.Addrs(t.Context(), strings.Repeat("x", 1+i%1000))
	}
	if asked > 256 {
		t.Errorf("%d names were looked up", asked)
	}
}
