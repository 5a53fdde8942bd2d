// Package eventtest helps tests that look at vegress's output: it validates
// events and findings against the JSON Schemas of their OCSF classes.
package eventtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vegress/vegress/event"
)

// Validator checks JSON objects against OCSF 1.8.0. It is safe for concurrent
// use.
type Validator struct {
	dir string

	mu      sync.Mutex
	schemas map[event.Class]*jsonschema.Schema // compiled at first use
}

// New gives a Validator that reads the schemas <class>.schema.json in the
// folder that the environment names in VEGRESS_OCSF. It skips the test when
// that is not set.
func New(tb testing.TB) *Validator {
	tb.Helper()
	dir := os.Getenv("VEGRESS_OCSF")
	if dir == "" {
		tb.Skip("VEGRESS_OCSF names no folder of OCSF schemas")
	}
	if _, err := os.Stat(dir); err != nil {
		tb.Fatalf("VEGRESS_OCSF: %v", err)
	}
	return &Validator{dir: dir, schemas: make(map[event.Class]*jsonschema.Schema)}
}

// Validate checks one JSON object against the schema of its class_uid.
func (v *Validator) Validate(line []byte) error {
	var head struct {
		ClassUID *event.Class `json:"class_uid"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return fmt.Errorf("read class_uid: %w", err)
	}
	if head.ClassUID == nil {
		return fmt.Errorf("no class_uid in %.100s", line)
	}
	schema, err := v.schema(*head.ClassUID)
	if err != nil {
		return err
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		return fmt.Errorf("read event: %w", err)
	}
	return schema.Validate(instance)
}

func (v *Validator) schema(class event.Class) (*jsonschema.Schema, error) {
	if class != event.BaseEvent && class.Name() == event.BaseEvent.Name() {
		return nil, fmt.Errorf("class_uid %d is not one that vegress writes", class)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if s := v.schemas[class]; s != nil {
		return s, nil
	}
	file := filepath.Join(v.dir, class.Name()+".schema.json")
	s, err := jsonschema.NewCompiler().Compile(file)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", file, err)
	}
	v.schemas[class] = s
	return s, nil
}
