package sigma_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/analytics/sigma"
)

// baseRules are four rules to correlate: each holds for its own Kind.
const baseRules = `
---
title: failed
name: failed_login
id: 53ba33fd-3a50-4468-a5ef-c583635cfa92
logsource: {product: test}
detection: {s: {Kind: failed}, condition: s}
---
title: success
name: successful_login
logsource: {product: test}
detection: {s: {Kind: success}, condition: s}
---
title: error
name: internal_error
logsource: {product: test}
detection: {s: {Kind: error}, condition: s}
---
title: connection
name: new_network_connection
logsource: {product: test}
detection: {s: {Kind: connection}, condition: s}
`

// stream feeds records to correlations as the service does.
type stream struct {
	t            testing.TB
	rules        *sigma.Rules
	engine       *sigma.Engine
	matcher      *sigma.Matcher
	correlations *sigma.Correlations
	correlator   *sigma.Correlator
	said         []string
	events       int
}

func newStream(t testing.TB, text string, options sigma.CorrelatorOptions) *stream {
	t.Helper()
	s := &stream{t: t, rules: sigma.Parse("c.yml", []byte(text+baseRules), sigma.Options{})}
	for _, refusal := range s.rules.Refusals {
		t.Fatal(refusal)
	}
	s.engine = sigma.Compile(s.rules.Rules)
	s.matcher = s.engine.NewMatcher()
	s.correlations = sigma.Correlate(s.rules.Correlations)
	s.correlator = sigma.NewCorrelator(s.correlations, options)
	return s
}

var epoch = time.Date(2026, 1, 2, 3, 4, 55, 0, time.UTC) // near a minute's end: windows are not clock-aligned

func (s *stream) emit(c *sigma.Correlated) {
	var group []string
	for _, g := range c.Group {
		group = append(group, g.Field+"="+g.Value)
	}
	s.said = append(s.said, fmt.Sprintf("%s[%s] n=%d v=%v", c.Correlation.Title, strings.Join(group, " "), c.Count, c.Value))
	if len(c.Events) == 0 || len(c.Rules) == 0 || c.Explanation == "" || c.Last.Before(c.First) {
		s.t.Errorf("incomplete: %+v", c)
	}
}

// at shows a record that was so long after the epoch.
func (s *stream) at(after time.Duration, text string) {
	r := record(text)
	s.events++
	s.matcher.Match(&r, func(h *sigma.Hit) {
		s.correlations.Sightings(h.Rule, &r, epoch.Add(after), fmt.Sprint("uid-", s.events), func(sighting *sigma.Sighting) {
			s.correlator.Observe(sighting, s.emit)
		})
	})
}

func (s *stream) tick(after time.Duration) { s.correlator.Tick(epoch.Add(after), s.emit) }

// run shows a script: "12 Kind=failed; User=a", times in seconds; "+30" is a
// tick.
func (s *stream) run(script ...string) {
	for _, line := range script {
		first, rest, _ := strings.Cut(line, " ")
		var seconds float64
		if _, err := fmt.Sscan(strings.TrimPrefix(first, "+"), &seconds); err != nil {
			s.t.Fatal(err)
		}
		after := time.Duration(seconds * float64(time.Second))
		if strings.HasPrefix(first, "+") {
			s.tick(after)
		} else {
			s.at(after, rest)
		}
	}
}

func (s *stream) want(want ...string) {
	s.t.Helper()
	if !slices.Equal(s.said, want) {
		s.t.Errorf("said %q\nwant %q", s.said, want)
	}
	s.said = nil
}

func correlation(title, body string) string {
	return "---\ntitle: " + title + "\nname: " + title + "\ncorrelation:\n" + indent(body)
}

func TestCorrelations(t *testing.T) {
	tests := []struct {
		name, correlations string
		script, want       []string
	}{
		{
			"event_count: a group's events within the span",
			correlation("c", "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 10s\ncondition: {gte: 3}"),
			[]string{"0 Kind=failed; User=a", "1 Kind=failed; User=b", "2 Kind=failed; User=A", "8 Kind=success; User=a", "9.9 Kind=failed; User=a"},
			[]string{"c[User=a] n=3 v=3"},
		},
		{
			"event_count: too slow",
			correlation("c", "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 10s\ncondition: {gte: 3}"),
			[]string{"0 Kind=failed; User=a", "5 Kind=failed; User=a", "10 Kind=failed; User=a", "16 Kind=failed; User=a", "21 Kind=failed; User=a"},
			nil,
		},
		{
			"event_count: once for each so many events",
			correlation("c", "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 10s\ncondition: {gt: 1}"),
			[]string{"0 Kind=failed; User=a", "1 Kind=failed; User=a", "2 Kind=failed; User=a", "3 Kind=failed; User=a", "4 Kind=failed; User=a"},
			[]string{"c[User=a] n=2 v=2", "c[User=a] n=2 v=2"},
		},
		{
			"event_count: several rules, by id and name, two fields, a field that is missing",
			correlation("c", "type: event_count\nrules: [53ba33fd-3a50-4468-a5ef-c583635cfa92, internal_error]\ngroup-by: [User, Host]\ntimespan: 1m\ncondition: {gte: 2}"),
			[]string{"0 Kind=failed; User=a; Host=x", "1 Kind=error; User=a; Host=y", "2 Kind=error; User=a", "3 Kind=error; User=a; Host=x"},
			[]string{"c[User=a Host=x] n=2 v=2"},
		},
		{
			"event_count: late events count where they belong",
			correlation("c", "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 10s\ncondition: {gte: 3}"),
			[]string{"0 Kind=failed; User=a", "15 Kind=failed; User=a", "+20", "8 Kind=failed; User=a", "9 Kind=failed; User=a"},
			[]string{"c[User=a] n=3 v=3"},
		},
		{
			"event_count: a range is decided when the window closes",
			correlation("c", "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 10s\ncondition: {gt: 1, lte: 3}"),
			[]string{
				"0 Kind=failed; User=a", "1 Kind=failed; User=a", "0 Kind=failed; User=b", "1 Kind=failed; User=b", "2 Kind=failed; User=b", "3 Kind=failed; User=b",
				"12 Kind=failed; User=b", "13 Kind=failed; User=b", "+69", "+71", "+90",
			},
			[]string{"c[User=a] n=2 v=2", "c[User=b] n=2 v=2"},
		},
		{
			"event_count: eq, neq and no group",
			correlation("c", "type: event_count\nrules: [failed_login]\ngroup-by: []\ntimespan: 10s\ncondition: {eq: 1}") +
				correlation("d", "type: event_count\nrules: [failed_login]\ntimespan: 10s\ncondition: {neq: 1}"),
			[]string{"0 Kind=failed; User=a", "50 Kind=failed; User=a", "51 Kind=failed; User=b", "+200"},
			[]string{"c[] n=1 v=1", "d[] n=2 v=2"},
		},
		{
			"value_count: different values, whatever their case",
			correlation("c", "type: value_count\nrules: [failed_login]\ngroup-by: [Host]\ntimespan: 10s\ncondition: {field: User, gte: 3}"),
			[]string{"0 Kind=failed; Host=h; User=a", "1 Kind=failed; Host=h; User=A", "2 Kind=failed; Host=h; User=b", "3 Kind=failed; Host=h; User=b", "4 Kind=failed; Host=h", "5 Kind=failed; Host=h; User=c"},
			[]string{"c[Host=h] n=5 v=3"},
		},
		{
			"value_count: tuples",
			correlation("c", "type: value_count\nrules: [failed_login]\ngroup-by: [Host]\ntimespan: 10s\ncondition: {field: [User, Port], gte: 2}"),
			[]string{"0 Kind=failed; Host=h; User=ab; Port=c", "1 Kind=failed; Host=h; User=a; Port=bc"},
			[]string{"c[Host=h] n=2 v=2"},
		},
		{
			"temporal: all rules in any order, of one group",
			correlation("c", "type: temporal\nrules: [failed_login, successful_login, internal_error]\ngroup-by: [User]\ntimespan: 10s"),
			[]string{"0 Kind=error; User=a", "1 Kind=success; User=a", "2 Kind=failed; User=b", "10 Kind=failed; User=a", "11 Kind=error; User=a", "20 Kind=failed; User=a", "20.5 Kind=success; User=a"},
			[]string{"c[User=a] n=3 v=3"},
		},
		{
			"temporal: across a minute's end, and with equal times",
			correlation("c", "type: temporal\nrules: [failed_login, successful_login]\ngroup-by: [User]\ntimespan: 10s"),
			[]string{"4 Kind=failed; User=a", "6 Kind=success; User=a", "7 Kind=success; User=b", "7 Kind=failed; User=b"},
			[]string{"c[User=a] n=2 v=2", "c[User=b] n=2 v=2"},
		},
		{
			"temporal: so many of the rules",
			correlation("c", "type: temporal\nrules: [failed_login, successful_login, internal_error]\ngroup-by: [User]\ntimespan: 10s\ncondition: {gte: 2}"),
			[]string{"0 Kind=error; User=a", "1 Kind=error; User=a", "2 Kind=failed; User=a"},
			[]string{"c[User=a] n=3 v=2"},
		},
		{
			"temporal: a condition in words",
			correlation("c", "type: temporal\nrules: [failed_login, successful_login, internal_error]\ngroup-by: [User]\ntimespan: 10s\ncondition: failed_login AND (successful_login or internal_error)"),
			[]string{"0 Kind=error; User=a", "1 Kind=success; User=a", "2 Kind=failed; User=a"},
			[]string{"c[User=a] n=3 v=3"},
		},
		{
			"temporal: without one of them",
			correlation("c", "type: temporal\nrules: [failed_login, successful_login]\ngroup-by: [User]\ntimespan: 10s\ncondition: failed_login and not successful_login"),
			[]string{"0 Kind=failed; User=a", "1 Kind=failed; User=b", "5 Kind=success; User=b", "+70", "+100"},
			[]string{"c[User=a] n=1 v=1"},
		},
		{
			"temporal_ordered: in the order of the rules only",
			correlation("c", "type: temporal_ordered\nrules: [failed_login, successful_login, internal_error]\ngroup-by: [User]\ntimespan: 10s"),
			[]string{
				"0 Kind=success; User=a", "1 Kind=failed; User=a", "2 Kind=error; User=a", "3 Kind=success; User=a", "4 Kind=error; User=a",
				"5 Kind=error; User=b", "6 Kind=success; User=b", "7 Kind=failed; User=b",
			},
			[]string{"c[User=a] n=5 v=3"},
		},
		{
			"temporal_ordered: a late event completes it",
			correlation("c", "type: temporal_ordered\nrules: [failed_login, successful_login]\ngroup-by: [User]\ntimespan: 10s"),
			[]string{"5 Kind=success; User=a", "6 Kind=failed; User=a", "3 Kind=failed; User=a"},
			[]string{"c[User=a] n=2 v=2"},
		},
		{
			"value_sum: as soon as it is enough",
			correlation("c", "type: value_sum\nrules: [new_network_connection]\ngroup-by: [Host]\ntimespan: 10s\ncondition: {field: Bytes, gt: 100}"),
			[]string{"0 Kind=connection; Host=h; Bytes#=60", "1 Kind=connection; Host=h; Bytes=-", "5 Kind=connection; Host=h; Bytes=40", "9 Kind=connection; Host=h; Bytes#=0.5"},
			[]string{"c[Host=h] n=3 v=100.5"},
		},
		{
			"value_avg: when the window closes",
			correlation("c", "type: value_avg\nrules: [new_network_connection]\ngroup-by: [Host]\ntimespan: 10s\ncondition: {field: Bytes, lt: 10}"),
			[]string{"0 Kind=connection; Host=h; Bytes#=1", "5 Kind=connection; Host=h; Bytes#=11", "0 Kind=connection; Host=i; Bytes#=1", "5 Kind=connection; Host=i; Bytes#=100", "+71"},
			[]string{"c[Host=h] n=2 v=6"},
		},
		{
			"value_percentile and value_median",
			correlation("c", "type: value_percentile\nrules: [new_network_connection]\ngroup-by: [Host]\ntimespan: 10s\ncondition: {field: Bytes, percentile: 90, gte: 9}") +
				correlation("d", "type: value_median\nrules: [new_network_connection]\ngroup-by: [Host]\ntimespan: 10s\ncondition: {field: Bytes, gte: 2}"),
			[]string{"0 Kind=connection; Host=h; Bytes#=1", "1 Kind=connection; Host=h; Bytes#=9", "2 Kind=connection; Host=h; Bytes#=2", "+71"},
			[]string{"c[Host=h] n=3 v=9", "d[Host=h] n=3 v=2"},
		},
		{
			"aliases: the same address in different fields",
			correlation("c", "type: temporal\nrules: [internal_error, new_network_connection]\ngroup-by: [internal_ip, remote_ip]\ntimespan: 10s\naliases:\n    internal_ip: {internal_error: destination.ip, new_network_connection: source.ip}\n    remote_ip: {internal_error: source.ip, new_network_connection: destination.ip}"),
			[]string{"0 Kind=error; destination.ip=i; source.ip=r", "1 Kind=connection; destination.ip=i; source.ip=r", "2 Kind=connection; destination.ip=r; source.ip=i"},
			[]string{"c[internal_ip=i remote_ip=r] n=2 v=2"},
		},
		{
			"chain: many failed logins, then a success; grouped by its own field",
			correlation("out", "type: temporal_ordered\nrules: [many, successful_login]\ngroup-by: [User]\ntimespan: 10m") +
				correlation("many", "type: event_count\nrules: [failed_login]\ngroup-by: [ComputerName]\ntimespan: 10m\ncondition: {gte: 3}"),
			[]string{
				"0 Kind=failed; User=a; ComputerName=c", "1 Kind=failed; User=b; ComputerName=c", "2 Kind=success; User=a", "3 Kind=failed; User=a; ComputerName=c",
				"4 Kind=success; User=b", "5 Kind=success; User=a",
			},
			[]string{"out[User=a] n=3 v=2"},
		},
		{
			"chain: what closes feeds on; generate makes the inner one loud",
			"---\ntitle: out\ngenerate: true\ncorrelation:\n" + indent("type: event_count\nrules: [few]\ngroup-by: [Host]\ntimespan: 1h\ncondition: {gte: 2}\naliases: {Host: {few: Machine}}") +
				correlation("few", "type: event_count\nrules: [failed_login]\ngroup-by: [User, Machine]\ntimespan: 10s\ncondition: {lte: 2}\naliases: {Machine: {failed_login: Computer}}"),
			[]string{"0 Kind=failed; User=a; Computer=c", "20 Kind=failed; User=b; Computer=c", "+200"},
			[]string{"few[User=a Machine=c] n=1 v=1", "few[User=b Machine=c] n=1 v=1", "out[Host=c] n=2 v=2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStream(t, tt.correlations, sigma.CorrelatorOptions{})
			s.run(tt.script...)
			s.want(tt.want...)
			s.tick(48 * time.Hour)
			s.tick(96 * time.Hour)
			if stats := s.correlator.Stats(); stats.Groups != 0 || stats.Events != 0 {
				t.Errorf("after all windows ended: %+v", stats)
			}
		})
	}
}

func TestSilentRules(t *testing.T) {
	read := sigma.Parse("c.yml", []byte(correlation("out", "type: temporal\nrules: [in, successful_login]\ngroup-by: [User]\ntimespan: 1m")+
		correlation("in", "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 1m\ncondition: {gte: 3}\ngenerate: true")+baseRules), sigma.Options{})
	var silent []string
	for _, r := range read.Rules {
		if r.Silent {
			silent = append(silent, r.Name)
		}
	}
	for _, c := range read.Correlations {
		if c.Silent {
			silent = append(silent, c.Name)
		}
	}
	if got := strings.Join(silent, " "); got != "successful_login in" {
		t.Errorf("silent: %s", got)
	}
}

func TestCorrelationRefusals(t *testing.T) {
	valid := "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 5m\ncondition: {gte: 3}"
	swap := func(old, new string) string { return strings.Replace(valid, old, new, 1) }
	tests := []struct{ body, reason string }{
		{swap("event_count", "value_mode"), "type"},
		{swap("type: event_count\n", ""), "type"},
		{swap("[failed_login]", "[]"), "names no rules"},
		{swap("[failed_login]", "[nobody]"), "not there"},
		{swap("[failed_login]", "[failed_login, failed_login]"), "twice"},
		{swap("[failed_login]", "[bad]"), "circle"},
		{swap("5m", "5"), "timespan"},
		{swap("5m", "5M"), "timespan"},
		{swap("5m", "0m"), "timespan"},
		{swap("5m", "-5m"), "timespan"},
		{swap("5m", "31d"), "longer"},
		{swap("5m", "99999999999999999999d"), "timespan"},
		{swap("timespan: 5m\n", ""), "timespan is missing"},
		{swap("\ncondition: {gte: 3}", ""), "condition is missing"},
		{swap("{gte: 3}", "{}"), "one or two"},
		{swap("{gte: 3}", "{ge: 3}"), "not known"},
		{swap("{gte: 3}", "{gte: many}"), "needs a number"},
		{swap("{gte: 3}", "{gte: 100001}"), "not held"},
		{swap("{gte: 3}", "{gte: 3, field: x}"), "counts no field"},
		{swap("{gte: 3}", "failed_login"), "in words"},
		{swap("event_count", "value_count"), "field is missing"},
		{strings.Replace(swap("event_count", "value_sum"), "{gte: 3}", "{gte: 3, field: [a, b]}", 1), "one field"},
		{strings.Replace(swap("event_count", "temporal"), "{gte: 3}", "failed_login and nobody", 1), "nobody"},
		{valid + "\naliases: {x: {successful_login: y}}", "not among"},
		{valid + "\nwindow: 5", "not known"},
	}
	for _, tt := range tests {
		read := sigma.Parse("c.yml", []byte(correlation("bad", tt.body)+correlation("good", valid)+baseRules), sigma.Options{})
		if len(read.Refusals) != 1 || !strings.Contains(read.Refusals[0].Reason, tt.reason) || read.Refusals[0].Line == 0 {
			t.Errorf("%s\nrefusals %v, want one with %q", tt.body, read.Refusals, tt.reason)
		}
		if len(read.Correlations) != 1 || len(read.Rules) != 4 {
			t.Errorf("%s\n%d correlations and %d rules are left, want 1 and 4", tt.body, len(read.Correlations), len(read.Rules))
		}
	}
	// What refers to a refused correlation is refused, too.
	read := sigma.Parse("c.yml", []byte(correlation("bad", swap("5m", "5"))+correlation("above", swap("failed_login", "bad"))+baseRules), sigma.Options{})
	if len(read.Refusals) != 2 || len(read.Correlations) != 0 {
		t.Errorf("refusals %v", read.Refusals)
	}
	// An override that disables a rule takes its correlations along, and says so.
	read = sigma.Parse("c.yml", []byte(correlation("good", valid)+correlation("above", swap("failed_login", "good"))+baseRules), sigma.Options{Overrides: []sigma.Override{{IDs: []string{"failed_login"}, Disable: true}}})
	if len(read.Refusals) != 2 || len(read.Correlations) != 0 || len(read.Rules) != 3 {
		t.Errorf("refusals %v", read.Refusals)
	}
}

func TestCorrelatorBounds(t *testing.T) {
	count := correlation("c", "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 1h\ncondition: {gte: 1000}")
	different := correlation("d", "type: value_count\nrules: [failed_login]\ngroup-by: [Host]\ntimespan: 1h\ncondition: {field: User, gte: 1000}")
	s := newStream(t, count+different, sigma.CorrelatorOptions{MaxGroups: 50, MaxEvents: 200})
	for i := range 1000 {
		s.at(time.Duration(i)*time.Second, fmt.Sprintf("Kind=failed; User=u%d; Host=h%d", i, i%7))
	}
	stats := s.correlator.Stats()
	if stats.Groups > 100 || stats.Events > 200 || stats.Forgotten < 900 {
		t.Errorf("%+v", stats)
	}
	s.tick(20 * time.Minute)
	s.at(0, "Kind=failed; User=late")
	if got := s.correlator.Stats().Late - stats.Late; got != 2 {
		t.Errorf("%d late, want one of each correlation", got)
	}

	// Two values that come again and again do not fill a window up.
	s = newStream(t, different, sigma.CorrelatorOptions{})
	for i := range 20_000 {
		s.at(time.Duration(i)*time.Millisecond, fmt.Sprintf("Kind=failed; User=u%d; Host=h", i%2))
	}
	if stats := s.correlator.Stats(); stats.Events > 3000 || stats.FellOff > 0 {
		t.Errorf("%+v", stats)
	}
}

func TestCorrelatorReplace(t *testing.T) {
	count := correlation("c", "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 1m\ncondition: {gte: 2}")
	s := newStream(t, count+correlation("gone", "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 1m\ncondition: {gte: 2}"), sigma.CorrelatorOptions{})
	s.run("0 Kind=failed; User=a")
	next := newStream(t, count+correlation("new", "type: event_count\nrules: [failed_login]\ngroup-by: [User]\ntimespan: 1m\ncondition: {gte: 1}"), sigma.CorrelatorOptions{})
	s.correlator.Replace(next.correlations)
	s.matcher, s.correlations = next.matcher, next.correlations
	s.run("1 Kind=failed; User=a")
	s.want("c[User=a] n=2 v=2", "new[User=a] n=1 v=1")
	if stats := s.correlator.Stats(); stats.Groups != 2 || stats.Events != 0 {
		t.Errorf("%+v", stats)
	}
}
