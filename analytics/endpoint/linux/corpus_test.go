package linux_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpus gives the folder of public records of endpoints, which lies beside
// the project where it is at all.
func corpus(tb testing.TB) string {
	tb.Helper()
	folder := os.Getenv("VEGRESS_CORPUS")
	if folder == "" {
		tb.Skip("VEGRESS_CORPUS is not set: no public records")
	}
	folder = filepath.Join(folder, "endpoint")
	if _, err := os.Stat(folder); err != nil {
		tb.Skipf("no records of endpoints: %v", err)
	}
	return folder
}

// lines gives the lines of the files that pattern names in the corpus.
func lines(tb testing.TB, pattern string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(corpus(tb), pattern))
	if err != nil || len(files) == 0 {
		tb.Fatalf("%s: %v, %v", pattern, files, err)
	}
	var list []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for line := range strings.Lines(string(content)) {
			if line = strings.TrimRight(line, "\n"); line != "" {
				list = append(list, line)
			}
		}
	}
	return list
}
