package configs

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"

	"github.com/vegress/vegress/analytics/egress"
)

// sizeHook lets sizes be written with units wherever a whole number of bytes
// is wanted.
func sizeHook(from, to reflect.Type, value any) (any, error) {
	if from.Kind() != reflect.String || to.Kind() != reflect.Int64 || to == reflect.TypeFor[time.Duration]() {
		return value, nil
	}
	return egress.ParseSize(value.(string))
}

// durationHook is mapstructure's, with an error that names the value. A bare
// number would be nanoseconds, which nobody means.
func durationHook(_, to reflect.Type, value any) (any, error) {
	if to != reflect.TypeFor[time.Duration]() {
		return value, nil
	}
	switch v := value.(type) {
	case string:
		if d, err := time.ParseDuration(strings.TrimSpace(v)); err == nil {
			return d, nil
		}
		return nil, fmt.Errorf("%q: %s", v, wantDuration)
	case int:
		if v != 0 {
			return nil, fmt.Errorf("%d: %s", v, wantDuration)
		}
	}
	return value, nil
}

const wantDuration = "want a duration: a number with ms, s, m or h, as 10m"

// listHook splits a list that came as one string, from the environment or a
// flag, at its commas.
func listHook(from, to reflect.Type, value any) (any, error) {
	if from.Kind() != reflect.String || to.Kind() != reflect.Slice {
		return value, nil
	}
	text := strings.TrimSpace(value.(string))
	if text == "" {
		return []string{}, nil
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts, nil
}

// misread takes the decoder's errors apart, and says them in the words of the
// configuration file.
func misread(err error) (all Faults) {
	for _, one := range leaves(err) {
		var at *mapstructure.DecodeError
		if !errors.As(one, &at) {
			all = append(all, faults(one)...)
			continue
		}
		key := strings.ToLower(at.Name())
		if part := invalidKeys.FindStringSubmatch(at.Unwrap().Error()); part != nil {
			all = append(all, unknown(key, strings.Split(part[1], ", "))...)
			continue
		}
		all = append(all, mistyped(key, at.Unwrap()))
	}
	return all
}

// invalidKeys is how mapstructure names keys that it does not know.
var invalidKeys = regexp.MustCompile(`^has invalid keys: (.+)$`)

// unknown are faults of keys below one.
func unknown(below string, names []string) (all Faults) {
	known := keys()
	for list, of := range objects {
		if strings.HasPrefix(below, list+"[") {
			known = keysOf(of, "")
		}
	}
	for _, name := range names {
		f := Fault{Key: name, Reason: "unknown key" + meant(name, known)}
		if below != "" {
			f.Key = below + "." + name
		}
		if name == "password" {
			f.Reason = "unknown key; a password does not belong here: set password_file"
		}
		all = append(all, f)
	}
	return all
}

// mistyped is the fault of a value of the wrong kind.
func mistyped(key string, err error) Fault {
	var parse *mapstructure.ParseError
	var kind *mapstructure.UnconvertibleTypeError
	switch {
	case errors.As(err, &parse):
		return Fault{Key: key, Value: spell(parse.Value), Reason: "want " + wanted(parse.Expected.Type())}
	case errors.As(err, &kind):
		return Fault{Key: key, Value: spell(kind.Value), Reason: "want " + wanted(kind.Expected.Type())}
	}
	f := faults(fmt.Errorf("x: %w", err))[0]
	f.Key = key
	if strings.HasPrefix(f.Reason, "expected a map") || f.Reason == "" {
		f.Reason = "want keys and values, as in {name: ...}"
	}
	return f
}

// spell is a value as it stands in the file, if it is a single one.
func spell(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case bool, int, float64:
		return fmt.Sprint(v)
	case []any:
		return "a list"
	case map[string]any, map[any]any:
		return "a section"
	}
	return ""
}

// wanted is what a value must be.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return strings.TrimPrefix(wantDuration, "want ")
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int64:
		return "a size, as 64KiB or 20GB"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Slice:
		return "a list, as [a, b]"
	case t.Kind() == reflect.String:
		return "a single value"
	}
	return "keys and values"
}
