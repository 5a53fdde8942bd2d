package behavior

import (
	"compress/gzip"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// TestCorpus: real connections. Command and control of eight beats or more is
// flagged; what else is, nobody has labelled by its rhythm.
func TestCorpus(t *testing.T) {
	root := os.Getenv("VEGRESS_CORPUS")
	if root == "" {
		t.Skip("VEGRESS_CORPUS is not set: the corpus of public records is not here")
	}
	files, err := filepath.Glob(filepath.Join(root, "beacon", "*.csv.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	var hostile share
	for _, name := range files {
		var others share
		for who, all := range readPairs(t, name) {
			_, at := listen(sorted(all), nil)
			if who.label == "c2" {
				if len(all) < minBeats {
					continue
				}
				hostile.add(at >= 0)
				t.Logf("%s: %s to %s, %d connections: flagged at the %d.", filepath.Base(name), who.src, who.dst, len(all), at+1)
				continue
			}
			others.add(at >= 0)
		}
		t.Logf("%s: of the other pairs flagged: %v", filepath.Base(name), others)
	}
	if hostile.of == 0 || hostile.flagged < hostile.of {
		t.Errorf("command and control: %v", hostile)
	}
}

type realPair struct{ src, dst, label string }

func readPairs(t *testing.T, name string) map[realPair][]contact {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(unpacked).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	pairs := map[realPair][]contact{}
	for _, row := range rows[1:] {
		seconds, err1 := strconv.ParseFloat(row[0], 64)
		sent, err2 := strconv.ParseInt(row[3], 10, 64)
		if err1 != nil || err2 != nil {
			t.Fatalf("%q: %v, %v", row, err1, err2)
		}
		who := realPair{row[1], row[2], row[4]}
		pairs[who] = append(pairs[who], contact{int64(seconds * 1000), sent})
	}
	return pairs
}
