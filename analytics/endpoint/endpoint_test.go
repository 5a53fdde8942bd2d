package endpoint_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

func TestObject(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"object", ` {"a":{"b":[1,"]}"]}} `, nil},
		{"brackets in a string", `{"a":"` + strings.Repeat(`[\"{`, 100) + `"}`, nil},
		{"list", `[1]`, endpoint.ErrNotJSON},
		{"two", `{} {}`, endpoint.ErrNotJSON},
		{"cut", `{"a":"b`, endpoint.ErrNotJSON},
		{"empty", ``, endpoint.ErrNotJSON},
		{"deep", `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, endpoint.ErrTooDeep},
		{"deep and open", strings.Repeat("[", 1<<20), endpoint.ErrTooDeep},
		{"long", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, endpoint.ErrTooLong},
	} {
		got, err := endpoint.Object(c.text)
		if !errors.Is(err, c.want) || err == nil && !got.IsObject() {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestFlatten: nested names are joined by dots, kinds are kept, and names that
// only records bring come to an end.
func TestFlatten(t *testing.T) {
	object, err := endpoint.Object(`{"a":1,"b":{"c":"x\"y","d":[true,{"e":null}]},"f":{},"g":[]}`)
	if err != nil {
		t.Fatal(err)
	}
	var ev event.Event
	endpoint.Flatten(object, &ev)
	var got []string
	for _, f := range ev.Fields {
		got = append(got, fmt.Sprintf("%s=%s/%d", f.ID.Name(), f.Value, f.Kind))
	}
	want := []string{"a=1/1", `b.c=x"y/0`, "b.d=true/2", "b.d.e=/3"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := endpoint.Name(strings.Repeat("n", 1000)).Name(); got != "other" {
		t.Errorf("a long name is %q, want other", got)
	}
	last := event.FieldID(0)
	for i := range event.MaxFieldNames {
		last = endpoint.Name(fmt.Sprintf("only records say %d", i))
	}
	if last.Name() != "other" || event.Intern("a rule says this").Name() != "a rule says this" {
		t.Errorf("the last of many names is %q", last.Name())
	}
}

// TestLongNames: the members of an object with a long name are not given all of
// it each.
func TestLongNames(t *testing.T) {
	const long, members = 100 << 10, 2000
	object := gjson.Parse(`{"` + strings.Repeat("n", long) + `":{"in":{` + strings.Repeat(`"m":1,`, members) + `"m":1}}}`)
	var ev event.Event
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	endpoint.Flatten(object, &ev)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 100*long {
		t.Errorf("%d bytes for names of %d", n, long)
	}
	if n := len(ev.Fields); n != members+1 || ev.Fields[0].ID.Name() != "other" {
		t.Errorf("%d fields, the first is %q", n, ev.Fields[0].ID.Name())
	}
}
