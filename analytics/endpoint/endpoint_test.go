package endpoint_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/vegress/vegress/analytics/endpoint"
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
