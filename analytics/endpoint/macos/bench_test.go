package macos_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/endpoint"
	"github.com/vegress/vegress/event"
)

// BenchmarkDecode decodes the records of testdata again and again: time,
// bytes and allocations are those of one record.
func BenchmarkDecode(b *testing.B) {
	files, err := filepath.Glob("testdata/*.log")
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range files {
		b.Run(filepath.Base(file), func(b *testing.B) {
			list, size := testLines(b, file), 0
			for _, line := range list {
				size += len(line)
			}
			d := decoderOf(file)
			b.SetBytes(int64(size / len(list)))
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if err := d.Decode(endpoint.Record{Text: list[i]}, func(*event.Event) {}); err != nil {
					b.Fatal(err)
				}
				if i++; i == len(list) {
					d.Rest(time.Time{}, func(*event.Event) {})
					i = 0
				}
			}
		})
	}
}
