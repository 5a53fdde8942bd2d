package app

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/analytics/webservice"
	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/configs/catalogue"
)

func newConfigCommand(std Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check or print the configuration",
	}
	group(cmd)
	cmd.AddCommand(newConfigCheckCommand(std), newConfigPrintCommand(std))
	return cmd
}

func newConfigCheckCommand(std Streams) *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether the configuration is good, and all that is wrong with it",
		Long: `Check reads the configuration as "vegress run" would, environment included, and
the files that it names: certificates, keys, passwords, users, catalogues. It
says all that is wrong, a line each: where it stands, the key, the value, what
to do. It connects to nothing.

Exit code 0: good, perhaps with warnings; 1: only files that it names cannot be
used; 2: the configuration itself is wrong.`,
		Example: `  vegress config check --config /etc/vegress/vegress.yaml
  vegress config check --config /etc/vegress/vegress.yaml --json | jq -r '.[].key'`,
		Args: argCount(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			config, warnings, err := checked(func() (configs.Config, error) { return configs.Load(file, nil) })
			if asJSON {
				return checkedJSON(std, warnings, err)
			}
			for _, one := range warnings {
				fmt.Fprintf(std.Err, "vegress: %s\n", one)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(std.Out, "the configuration is good: %d roles, %d justifications, %d vCenters\n",
				len(config.Roles), len(config.Egress.Justifications), len(config.VCenters))
			return err
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write what is wrong as a JSON array; an empty one when all is good")
	return cmd
}

// checkedJSON says on standard output what checked found, for a program.
func checkedJSON(std Streams, warnings configs.Faults, err error) error {
	all := configs.Faults{}
	if wrong := configs.Faults(nil); errors.As(err, &wrong) {
		all = append(all, wrong...)
	} else if err != nil {
		return err
	}
	all = append(all, warnings...)
	for i := range all {
		if plain, err := strconv.Unquote(all[i].Value); err == nil {
			all[i].Value = plain
		}
	}
	if werr := json.NewEncoder(std.Out).Encode(all); werr != nil {
		return fmt.Errorf("write output: %w", werr)
	}
	if err != nil {
		return said{err}
	}
	return nil
}

// checked loads a configuration and finds all that can be found wrong with it
// before anything is started, the files included that it names. What is in the
// way is one error, Faults.
func checked(load func() (configs.Config, error)) (c configs.Config, warnings configs.Faults, err error) {
	var all configs.Faults
	if c, err = load(); err != nil && !errors.As(err, &all) {
		return c, nil, usage(err)
	}
	all = append(all, c.CheckFiles(time.Now())...)
	if services, err := webservice.Load(catalogue.Files, c.Catalogue); err == nil {
		all = append(all, unlisted(&c, services)...)
	}
	slices.SortStableFunc(all, func(a, b configs.Fault) int { return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line) })
	warnings, err = all.Split()
	return c, warnings, misconfigured(err)
}

// misconfigured gives Faults their exit code: that of a wrong configuration,
// unless only files that it names are the trouble.
func misconfigured(err error) error {
	var all configs.Faults
	if errors.As(err, &all) && all.OnlyFiles() {
		return err
	}
	return usage(err)
}

func newConfigPrintCommand(std Streams) *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Print the configuration in force, defaults and environment included",
		Long: `Print writes what "vegress run" would work with: the defaults, the file, the
environment (VEGRESS_...) over it. Secrets are not part of the configuration;
user names and passwords inside URLs are masked.`,
		Example: `  vegress config print
  vegress config print --config /etc/vegress/vegress.yaml --json | jq .forward`,
		Args: argCount(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			text, err := configs.Print(file, asJSON)
			if err != nil {
				return usage(err)
			}
			_, err = std.Out.Write(text)
			return err
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON instead of YAML")
	return cmd
}

func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", "", "configuration `file`; without one the defaults hold")
}
