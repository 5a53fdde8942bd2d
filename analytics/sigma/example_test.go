package sigma_test

import (
	"fmt"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/event"
)

func Example() {
	rules := sigma.Parse("whoami.yml", []byte(`
title: Whoami Execution
id: 5c1a0d2e-7a43-4d55-9f8d-0a5f3f1f0c11
logsource: {category: process_creation, product: windows}
detection:
    selection: {Image|endswith: '\whoami.exe'}
    filter: {User|startswith: 'adm_'}
    condition: selection and not filter
level: high
`), sigma.Options{})
	for _, refusal := range rules.Refusals {
		fmt.Println(refusal)
	}
	engine := sigma.Compile(sigma.Select(rules.Rules, sigma.LogSource{Category: "process_creation", Product: "windows"}))
	matcher := engine.NewMatcher() // one for each goroutine
	record := sigma.Record{Fields: []event.Field{
		{ID: event.Intern("Image"), Value: `C:\Windows\System32\WHOAMI.EXE`},
		{ID: event.Intern("User"), Value: "alice"},
	}}
	matcher.Match(&record, func(h *sigma.Hit) { fmt.Println(h.Rule.Title, h.Evidence()) })
	// Output: Whoami Execution [{selection Image C:\Windows\System32\WHOAMI.EXE}]
}
