package event_test

import (
	"testing"

	"github.com/vegress/vegress/event"
)

func TestURLHost(t *testing.T) {
	f := func(url, want string) {
		t.Helper()
		if got := event.URLHost(url); got != want {
			t.Errorf("%q: got %q, want %q", url, got, want)
		}
	}
	f("https://Example.com/a:b@c", "Example.com")
	f("http://user:secret@example.com:8080?x", "example.com")
	f("https://[2001:db8::1]:443/", "[2001:db8::1]")
	f("https://[2001:db8::1]", "[2001:db8::1]")
	f("/sdk", "")
	f("example.com:443", "")
	f("", "")
}
