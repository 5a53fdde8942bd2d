package webservice

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
)

// Bounds of what providers publish: the largest file has some 4 MB, and all
// files together some 100,000 prefixes.
const (
	maxRangeFile = 64 << 20
	maxRanges    = 1_000_000
	minBits4     = 8 // a range that is wider than this is a mistake
	minBits6     = 16
)

// ranged is what a provider has at one prefix. Providers list a prefix more
// than once: for all that they have, for a product, for a part of that. The
// highest rank, the narrowest meaning, counts.
type ranged struct {
	service *Service
	rank    int
	file    string
}

// ranges reads a provider's published range file, which is known by its
// content: AWS ip-ranges.json, Azure ServiceTags_*.json, GitHub's meta, Google's
// goog.json and cloud.json, Cloudflare's list of the API.
func (l *loader) providerRanges(r io.Reader, file string) error {
	data, err := io.ReadAll(io.LimitReader(r, maxRangeFile+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	if len(data) > maxRangeFile {
		return fmt.Errorf("%s: more than %d MiB: no provider's range file is that large", file, maxRangeFile>>20)
	}
	data = bytes.TrimPrefix(data, []byte(bom))
	f := rangeFile{loader: l, file: file, data: data}
	return f.read()
}

// rangeFile is one file while it is read.
type rangeFile struct {
	*loader
	file string
	data []byte
}

func (f *rangeFile) read() error {
	var top map[string]json.RawMessage
	if err := f.decode(f.data, &top); err != nil {
		return err
	}
	has := func(key string) bool { _, ok := top[key]; return ok }
	switch {
	case has("prefixes") && has("ipv6_prefixes"):
		return f.aws()
	case has("prefixes"):
		return f.google()
	case has("values") && (has("changeNumber") || has("cloud")):
		return f.azure()
	case has("web") && has("git"):
		return f.github(top)
	case has("result"):
		return f.cloudflare()
	}
	return fmt.Errorf("%s: JSON, but no range file of AWS, Azure, Cloudflare, GitHub or Google", f.file)
}

// decode reads JSON, and says where it is wrong.
func (f *rangeFile) decode(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	if err == nil {
		return nil
	}
	offset := int64(0)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	return fmt.Errorf("%s: %w", f.position(int(offset)), err)
}

// position is the line of an offset, after the file's name.
func (f *rangeFile) position(offset int) string {
	return fmt.Sprintf("%s:%d", f.file, 1+bytes.Count(f.data[:min(offset, len(f.data))], []byte("\n")))
}

// put adds a prefix with its meaning.
func (f *rangeFile) put(prefix string, m meaning) error {
	p, err := netip.ParsePrefix(prefix)
	if err == nil && (p.Addr().Is4() && p.Bits() < minBits4 || p.Addr().Is6() && p.Bits() < minBits6) {
		err = fmt.Errorf("wider than /%d (IPv4) or /%d (IPv6)", minBits4, minBits6)
	}
	if err != nil {
		at := bytes.Index(f.data, []byte(`"`+prefix+`"`))
		return fmt.Errorf("%s: prefix %q: %w", f.position(max(at, 0)), prefix, err)
	}
	p = p.Masked()
	old, ok := f.ranges[p]
	if ok && (m.rank < old.rank || m.rank == old.rank && old.file == f.file) {
		return nil
	}
	if !ok && len(f.ranges) >= maxRanges {
		return fmt.Errorf("%s: more than %d prefixes in all range files", f.file, maxRanges)
	}
	f.ranges[p] = ranged{f.service(m.Service), m.rank, f.file}
	return nil
}

// service gives one Service for all prefixes that mean the same.
func (l *loader) service(s Service) *Service {
	known, ok := l.services[s]
	if !ok {
		known = &s
		l.services[s] = known
	}
	return known
}

// meaning is a service, and how narrow it is among what its provider has.
type meaning struct {
	Service
	rank int
}

// cloud is the category of what is anybody's: rented machines and networks.
const cloud = "cloud"

// awsServices are the "service" values of ip-ranges.json that have a meaning
// of their own (docs.aws.amazon.com, "AWS IP address ranges").
var awsServices = map[string]meaning{
	"AMAZON":                   {Service{"Amazon Web Services", cloud}, 0},
	"EC2":                      {Service{"Amazon EC2", cloud}, 1},
	"S3":                       {Service{"Amazon S3", "cloud_storage"}, 3},
	"CLOUDFRONT":               {Service{"Amazon CloudFront", "cdn"}, 3},
	"CLOUDFRONT_ORIGIN_FACING": {Service{"Amazon CloudFront", "cdn"}, 3},
}

func (f *rangeFile) aws() error {
	type entry struct {
		V4      string `json:"ip_prefix"`
		V6      string `json:"ipv6_prefix"`
		Service string `json:"service"`
	}
	var doc struct {
		Prefixes     []entry `json:"prefixes"`
		IPv6Prefixes []entry `json:"ipv6_prefixes"`
	}
	if err := f.decode(f.data, &doc); err != nil {
		return err
	}
	for _, list := range [][]entry{doc.Prefixes, doc.IPv6Prefixes} {
		for _, e := range list {
			m, ok := awsServices[e.Service]
			if !ok {
				m = meaning{Service{"AWS " + e.Service, cloud}, 2}
			}
			if err := f.put(e.V4+e.V6, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// google reads goog.json, all that is Google's, and cloud.json, the part of it
// that customers rent (support.google.com/a/answer/10026322).
func (f *rangeFile) google() error {
	var doc struct {
		Prefixes []struct {
			V4      string `json:"ipv4Prefix"`
			V6      string `json:"ipv6Prefix"`
			Service string `json:"service"`
		} `json:"prefixes"`
	}
	if err := f.decode(f.data, &doc); err != nil {
		return err
	}
	for _, e := range doc.Prefixes {
		m := meaning{Service{"Google", cloud}, 0}
		if e.Service != "" {
			m = meaning{Service{e.Service, cloud}, 1}
		}
		if err := f.put(e.V4+e.V6, m); err != nil {
			return err
		}
	}
	return nil
}

// azureServices are the values of "systemService" that have a meaning of their
// own (learn.microsoft.com, "Virtual network service tags").
var azureServices = map[string]meaning{
	"":                {Service{"Microsoft Azure", cloud}, 0},
	"AzureStorage":    {Service{"Azure Storage", "cloud_storage"}, 2},
	"AzureFrontDoor":  {Service{"Azure Front Door", "cdn"}, 2},
	"AzureAppService": {Service{"Azure App Service", "free_hosting"}, 2},
	"AzureAD":         {Service{"Microsoft Login", "cloud_storage"}, 2},
}

func (f *rangeFile) azure() error {
	var doc struct {
		Values []struct {
			Properties struct {
				SystemService   string   `json:"systemService"`
				AddressPrefixes []string `json:"addressPrefixes"`
			} `json:"properties"`
		} `json:"values"`
	}
	if err := f.decode(f.data, &doc); err != nil {
		return err
	}
	for _, v := range doc.Values {
		m, ok := azureServices[v.Properties.SystemService]
		if !ok {
			m = meaning{Service{"Azure " + strings.TrimPrefix(v.Properties.SystemService, "Azure"), cloud}, 1}
		}
		if err := f.putAll(v.Properties.AddressPrefixes, m); err != nil {
			return err
		}
	}
	return nil
}

func (f *rangeFile) putAll(prefixes []string, m meaning) error {
	for _, p := range prefixes {
		if err := f.put(p, m); err != nil {
			return err
		}
	}
	return nil
}

// githubLists are the members of GitHub's meta that are lists of prefixes
// (docs.github.com, "REST API endpoints for meta data"). Actions run on rented
// machines.
var githubLists = []struct {
	key string
	meaning
}{
	{"web", meaning{Service{"GitHub", "code_hosting"}, 4}},
	{"git", meaning{Service{"GitHub", "code_hosting"}, 4}},
	{"api", meaning{Service{"GitHub API", "code_hosting"}, 3}},
	{"pages", meaning{Service{"GitHub Pages", "code_hosting"}, 3}},
	{"packages", meaning{Service{"GitHub Packages", "code_hosting"}, 3}},
	{"hooks", meaning{Service{"GitHub", "code_hosting"}, 2}},
	{"importer", meaning{Service{"GitHub", "code_hosting"}, 2}},
	{"github_enterprise_importer", meaning{Service{"GitHub", "code_hosting"}, 2}},
	{"dependabot", meaning{Service{"GitHub", "code_hosting"}, 2}},
	{"copilot", meaning{Service{"GitHub Copilot", "ai"}, 2}},
	{"codespaces", meaning{Service{"GitHub Codespaces", cloud}, 1}},
	{"actions", meaning{Service{"GitHub Actions", cloud}, 0}},
	{"actions_macos", meaning{Service{"GitHub Actions", cloud}, 0}},
}

func (f *rangeFile) github(top map[string]json.RawMessage) error {
	for _, l := range githubLists {
		var prefixes []string
		list, ok := top[l.key]
		if !ok {
			continue
		}
		if err := json.Unmarshal(list, &prefixes); err != nil {
			at := bytes.Index(f.data, []byte(`"`+l.key+`"`))
			return fmt.Errorf("%s: %q: %w", f.position(max(at, 0)), l.key, err)
		}
		if err := f.putAll(prefixes, l.meaning); err != nil {
			return err
		}
	}
	return nil
}

// cloudflare reads https://api.cloudflare.com/client/v4/ips.
func (f *rangeFile) cloudflare() error {
	var doc struct {
		Result struct {
			V4 []string `json:"ipv4_cidrs"`
			V6 []string `json:"ipv6_cidrs"`
		} `json:"result"`
	}
	if err := f.decode(f.data, &doc); err != nil {
		return err
	}
	if len(doc.Result.V4)+len(doc.Result.V6) == 0 {
		return fmt.Errorf("%s: no ipv4_cidrs and no ipv6_cidrs in it", f.file)
	}
	m := meaning{Service{"Cloudflare", "cdn"}, 0}
	if err := f.putAll(doc.Result.V4, m); err != nil {
		return err
	}
	return f.putAll(doc.Result.V6, m)
}
