package coverage

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vegress/vegress/analytics/sigma"
)

// Published is a detection rule that others published, and what became of it
// here.
type Published struct {
	Vendor   string   `yaml:"vendor" json:"vendor"`
	Title    string   `yaml:"title" json:"title"`
	ID       string   `yaml:"id" json:"id"`
	Platform string   `yaml:"platform" json:"platform"`
	Verdict  string   `yaml:"verdict" json:"verdict"`
	By       []string `yaml:"by" json:"by"`             // names of rule files, without folder and extension
	Analytic string   `yaml:"analytic" json:"analytic"` // uid of an analytic that covers it, beside or instead of rules
	Note     string   `yaml:"note" json:"note"`
}

// Verdicts on published rules, and what they mean.
var Verdicts = []struct{ Name, Meaning string }{
	{"covered", "a rule or an analytic of ours finds what it finds"},
	{"in part", "one of ours finds most of it; the note says what not"},
	{"not yet", "needs a memory that Sigma's correlations do not have"},
	{"no", "needs records that vegress does not take"},
}

// ParsePublished reads a list of published rules, and checks it against the
// rules that are in force: what covers one must be among them, and a rule that
// is not covered in full needs a note that says why.
func ParsePublished(content []byte, rules *sigma.Rules) ([]Published, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	var file struct {
		Catalogue []Published `yaml:"catalogue"`
	}
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("read list of published rules: %w", err)
	}
	there := map[string]bool{}
	for _, d := range detections(rules) {
		there[strings.TrimSuffix(path.Base(d.meta.File), path.Ext(d.meta.File))] = true
	}
	for i := range file.Catalogue {
		if err := file.Catalogue[i].check(there); err != nil {
			return nil, fmt.Errorf("published rule %q: %w", file.Catalogue[i].Title, err)
		}
	}
	return file.Catalogue, nil
}

func (p *Published) check(there map[string]bool) error {
	covering := p.Verdict == "covered" || p.Verdict == "in part"
	switch {
	case !slices.ContainsFunc(Verdicts, func(v struct{ Name, Meaning string }) bool { return v.Name == p.Verdict }):
		return fmt.Errorf("verdict %q is not known", p.Verdict)
	case covering != (len(p.By) > 0 || p.Analytic != ""):
		return fmt.Errorf("verdict %q with rules %v, analytic %q", p.Verdict, p.By, p.Analytic)
	case p.Verdict != "covered" && p.Note == "":
		return fmt.Errorf("verdict %q needs a note", p.Verdict)
	}
	for _, name := range p.By {
		if !there[name] {
			return fmt.Errorf("rule %q, which covers it, is not in force", name)
		}
	}
	return nil
}
