package app

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/configs"
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
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Say whether the configuration is good, and what is wrong with it",
		Example: `  vegress config check --config /etc/vegress/vegress.yaml`,
		Args:    argCount(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			config, err := configs.Load(file, nil)
			if err != nil {
				return usage(err)
			}
			if _, err := compile(&config); err != nil {
				return usage(err)
			}
			_, err = fmt.Fprintf(std.Out, "the configuration is good: %d roles, %d justifications, %d vCenters\n",
				len(config.Roles), len(config.Egress.Justifications), len(config.VCenters))
			return err
		},
	}
	configFlag(cmd, &file)
	return cmd
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
