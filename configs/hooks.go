package configs

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// units of sizes: powers of 1000 and of 1024, as IEC 80000-13 has them.
var units = map[string]float64{
	"": 1, "B": 1,
	"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
}

// parseSize reads "64KiB", "20GB" or a plain number of bytes.
func parseSize(text string) (int64, error) {
	trimmed := strings.TrimSpace(text)
	end := strings.IndexFunc(trimmed, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(trimmed)
	}
	number, err := strconv.ParseFloat(trimmed[:end], 64)
	unit, known := units[strings.ToUpper(strings.TrimSpace(trimmed[end:]))]
	if err != nil || !known || number*unit > math.MaxInt64/2 {
		return 0, fmt.Errorf("size %q: want a number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB", text)
	}
	return int64(number * unit), nil
}

// sizeHook lets sizes be written with units wherever a whole number of bytes
// is wanted.
func sizeHook(from, to reflect.Type, value any) (any, error) {
	if from.Kind() != reflect.String || to.Kind() != reflect.Int64 || to == reflect.TypeFor[time.Duration]() {
		return value, nil
	}
	return parseSize(value.(string))
}

// durationHook is mapstructure's, with an error that names the value.
func durationHook(from, to reflect.Type, value any) (any, error) {
	if from.Kind() != reflect.String || to != reflect.TypeFor[time.Duration]() {
		return value, nil
	}
	d, err := time.ParseDuration(value.(string))
	if err != nil {
		return nil, fmt.Errorf("duration %q: want a number with ms, s, m or h, as 10m", value)
	}
	return d, nil
}

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
