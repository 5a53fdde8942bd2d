// Package ruletest reads the cases that stand beside a rule: NAME.test.yml
// has the records for which NAME.yml must hit, and near ones for which it
// must not. docs/rules.md has the format.
package ruletest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/vegress/vegress/analytics/sigma/source"
	"github.com/vegress/vegress/event"
)

// Suffix ends the names of files with cases; without it, and with ".yml", it
// is the name of the rule's file.
const Suffix = ".test.yml"

// Bounds of a file of cases.
const (
	maxFileBytes = 1 << 20
	maxTimes     = 10_000
)

// Cases is what is tried on one file of rules.
type Cases struct {
	Hit  []Case `yaml:"hit"`
	Miss []Case `yaml:"miss"`
}

// Case is one record, or a sequence of them for a correlation.
type Case struct {
	Step     `yaml:",inline"`
	Sequence []Step `yaml:"sequence"`
	Why      string `yaml:"why"` // for readers
}

// Step is a record: a syslog line as it comes, or a record of an endpoint with
// the field names that Sigma uses.
type Step struct {
	Line   string         `yaml:"line"`
	Record map[string]any `yaml:"record"`
	// Learned is the destination's host name where the record has an address
	// only, as vegress learns it from DNS.
	Learned string `yaml:"learned"`
	Times   int    `yaml:"times"` // 0 is once
}

// Parse reads a file of cases. A file that lacks a hit or a miss is refused.
func Parse(content []byte) (*Cases, error) {
	if len(content) > maxFileBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxFileBytes)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	var cases Cases
	if err := decoder.Decode(&cases); err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
	}
	switch {
	case len(cases.Hit) == 0:
		return nil, errors.New("no hit: a rule needs a record for which it holds")
	case len(cases.Miss) == 0:
		return nil, errors.New("no miss: a rule needs a near record for which it does not hold")
	}
	for _, list := range [][]Case{cases.Hit, cases.Miss} {
		for i := range list {
			if err := list[i].check(); err != nil {
				return nil, fmt.Errorf("case %d: %w", i+1, err)
			}
		}
	}
	return &cases, nil
}

func (c *Case) check() error {
	if len(c.Sequence) == 0 {
		return c.Step.check()
	}
	if c.Line != "" || c.Record != nil {
		return errors.New("a sequence stands alone")
	}
	for i := range c.Sequence {
		if err := c.Sequence[i].check(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

func (s *Step) check() error {
	switch {
	case (s.Line == "") == (s.Record == nil):
		return errors.New("either a line or a record is needed")
	case s.Times < 0 || s.Times > maxTimes:
		return fmt.Errorf("times is not between 0 and %d", maxTimes)
	}
	return nil
}

// Steps gives the records of the case in their order, each as often as it is
// repeated.
func (c *Case) Steps() []Step {
	if len(c.Sequence) == 0 {
		return []Step{c.Step}
	}
	var steps []Step
	for _, s := range c.Sequence {
		for range max(s.Times, 1) {
			steps = append(steps, s)
		}
	}
	return steps
}

// Event makes the step's event. decode makes one of a syslog line.
func (s *Step) Event(decode func(line string) *event.Event) (*event.Event, error) {
	if s.Line != "" {
		return decode(s.Line), nil
	}
	record, err := json.Marshal(s.Record)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	ev := new(event.Event)
	if err := source.ReadJSON(record, ev); err != nil {
		return nil, err
	}
	ev.Dst.Hostname = s.Learned
	return ev, nil
}
