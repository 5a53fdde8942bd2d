package configs

import (
	"encoding/json"
	"net/url"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Print gives the configuration in force (see Load) as YAML, or as JSON.
// Passwords inside URLs are masked; all other secrets are kept in files that
// the configuration only names.
func Print(file string, asJSON bool) ([]byte, error) {
	v, from, err := read(file, nil)
	if err != nil {
		return nil, err
	}
	c, err := decode(v, from)
	if err != nil {
		return nil, err
	}
	all := v.AllSettings()
	all["data_dir"], all["collector"] = c.DataDir, c.Collector
	mask(all)
	if asJSON {
		text, err := json.MarshalIndent(all, "", "  ")
		return append(text, '\n'), err
	}
	return yaml.Marshal(all)
}

// mask hides user names and passwords in all URLs below v.
func mask(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if text, ok := value.(string); ok {
				v[key] = maskURL(text)
			}
			mask(value)
		}
	case []any:
		for i, value := range v {
			if text, ok := value.(string); ok {
				v[i] = maskURL(text)
			}
			mask(value)
		}
	}
}

// maskURL replaces what stands before the @ of a URL. A URL that cannot be
// read is hidden whole.
func maskURL(text string) string {
	if !strings.Contains(text, "://") || !strings.Contains(text, "@") {
		return text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "***"
	}
	if u.User != nil {
		u.User = url.User("***")
	}
	return strings.Replace(u.String(), "%2A%2A%2A", "***", 1)
}
