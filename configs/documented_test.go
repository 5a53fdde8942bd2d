package configs

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestEveryKeyIsDocumented: the options of the rooms, default.yaml and
// docs/configuration.md name the same keys, the last two the same defaults,
// and the page the environment variable of each.
func TestEveryKeyIsDocumented(t *testing.T) {
	var tree map[string]any
	if err := yaml.Unmarshal(defaults, &tree); err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	flatten(tree, "", values)
	text, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	page := rows(string(text))

	var documented, environment []string
	for section, list := range page {
		for key, standard := range list {
			if objects[section] != nil {
				continue
			}
			if objects[key] == nil {
				documented = append(documented, key)
				environment = append(environment, envName(key))
			}
			if want := spelled(values[key]); key != "data_dir" && key != "collector" && !strings.HasPrefix(standard, want) {
				t.Errorf("docs/configuration.md: the default of %s is %q, in default.yaml %q", key, standard, want)
			}
		}
	}
	var ours []string
	for _, key := range keys() {
		if _, ok := values[key]; !ok {
			t.Errorf("default.yaml does not name %s", key)
		}
		if objects[key] == nil {
			ours = append(ours, key)
		}
	}
	for key := range values {
		if !slices.Contains(keys(), key) {
			t.Errorf("default.yaml names %s, which is no key", key)
		}
	}
	same(t, "the keys in docs/configuration.md", documented, ours)
	_, after, _ := strings.Cut(string(text), "## All environment names")
	same(t, "the environment variables in docs/configuration.md", regexp.MustCompile(`VEGRESS_[A-Z0-9_]+`).FindAllString(after, -1), environment)
	for section, of := range objects {
		var named []string
		for key := range page[section] {
			named = append(named, key)
		}
		same(t, "the keys of "+section+" in docs/configuration.md", named, keysOf(of, ""))
	}
}

// rows are the tables of keys: by section, the default of each key.
func rows(text string) map[string]map[string]string {
	all := map[string]map[string]string{}
	section := ""
	for line := range strings.SplitSeq(text, "\n") {
		if name, ok := strings.CutPrefix(line, "### "); ok {
			section = name
		} else if strings.HasPrefix(line, "## ") {
			section = ""
		}
		cells := strings.Split(line, " | ")
		if section == "" || section == "Windows" || len(cells) < 3 || !strings.HasPrefix(cells[0], "| `") {
			continue
		}
		if all[section] == nil {
			all[section] = map[string]string{}
		}
		standard := strings.NewReplacer("`", "", `"`, "", " |", "").Replace(cells[2])
		first, before := "", ""
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[0], -1) {
			key := name[1]
			if first == "" {
				first, before = key, key[:strings.LastIndexByte(key, '.')+1]
			} else {
				key = before + key
			}
			all[section][key] = standard
		}
	}
	return all
}

func flatten(tree map[string]any, prefix string, into map[string]any) {
	for name, value := range tree {
		if below, ok := value.(map[string]any); ok {
			flatten(below, prefix+name+".", into)
			continue
		}
		into[prefix+name] = value
	}
}

// spelled is a default as the page writes it.
func spelled(v any) string {
	list, isList := v.([]any)
	switch {
	case v == "" || isList && len(list) == 0:
		return "empty"
	case isList:
		var all []string
		for _, one := range list {
			all = append(all, fmt.Sprint(one))
		}
		return strings.Join(all, ", ")
	}
	return fmt.Sprint(v)
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for _, one := range got {
		if !slices.Contains(want, one) {
			t.Errorf("%s: %s is none", what, one)
		}
	}
	for _, one := range want {
		if !slices.Contains(got, one) {
			t.Errorf("%s: %s is missing", what, one)
		}
	}
}
