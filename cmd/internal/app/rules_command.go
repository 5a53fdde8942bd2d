package app

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/analytics/sigma"
	"github.com/vegress/vegress/analytics/sigma/ruletest"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/configs"
)

func newRulesCommand(std Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List, check, test and measure Sigma rules; say why one does not hold",
		Long: `Rules works on Sigma rules: without PATH on those that a service with this
configuration has, built-in ones included; with PATH on these only. A PATH is a
file, a folder, or an archive (.tar.gz, .tgz, .tar, .zip); a checkout of SigmaHQ
works as it is. Placeholders, taxonomies, overrides and log sources of the
configuration hold for them too.`,
		Example: `  vegress rules check my-rules/
  vegress rules test my-rules/
  vegress rules why 5d4d8c8e-3f0b-4a53-9c5e-0c0d8f0e2b11 event.json
  vegress rules coverage --technique T1102 sigma/rules/`,
	}
	group(cmd)
	cmd.AddCommand(
		newRulesListCommand(std),
		newRulesCheckCommand(std),
		newRulesTestCommand(std),
		newRulesCoverageCommand(std),
		newRulesWhyCommand(std),
		newRulesExportCommand(std),
		newRulesBenchCommand(std),
	)
	return cmd
}

// ruleSet reads the rules that paths name, or without any those that the
// configuration in file does. A path of cases stands for its rules.
func ruleSet(file string, paths []string) (*stream.Set, error) {
	config, err := configs.Load(file, nil)
	if err != nil {
		return nil, usage(err)
	}
	o := config.Rules
	if len(paths) > 0 {
		o.Builtin, o.Paths = false, nil
	}
	for _, path := range paths {
		if name, isCases := strings.CutSuffix(path, ruletest.Suffix); isCases {
			path = name + ".yml"
		}
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("read rules: %w; name files, folders or archives of rules", err)
		}
		if !slices.Contains(o.Paths, path) {
			o.Paths = append(o.Paths, path)
		}
	}
	return loadRules(o)
}

// oneJSON writes a value as one line of JSON.
func oneJSON(to io.Writer, value any) error {
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// logSource is a rule's log source in short.
func logSource(l sigma.LogSource) string {
	parts := slices.DeleteFunc([]string{l.Product, l.Category, l.Service}, func(part string) bool { return part == "" })
	return strings.Join(parts, "/")
}

// counted is a number of things: "1 rule", "2 rules".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
