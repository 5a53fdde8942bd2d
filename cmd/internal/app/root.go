// Package app joins the rooms of vegress into the one command: configuration,
// the pipeline, and a file for each subcommand.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/configs"
)

// Exit codes of every subcommand.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2 // wrong usage or configuration
)

// Streams are the standard streams that a command reads and writes.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// usageError marks an error that the user mends on the command line or in the
// configuration.
type usageError struct{ err error }

// Error is the text of the error that is marked.
func (e usageError) Error() string { return e.err.Error() }

// Unwrap is the error that is marked.
func (e usageError) Unwrap() error { return e.err }

// usage wraps err, if it is one, as a usageError.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return usageError{err}
}

// Main runs the command line and gives its exit code: 0 ok, 1 failed, 2 wrong
// usage or configuration.
func Main(ctx context.Context, args []string, std Streams) int {
	root := newRoot(std)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(std.Err, "vegress: interrupted")
		return exitFailed
	}
	complain(std.Err, err)
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	return exitFailed
}

// complain says what went wrong: a line for each fault of a configuration, else
// one line, also when several things went wrong.
func complain(to io.Writer, err error) {
	var faults configs.Faults
	switch {
	case errors.As(err, &said{}):
	case errors.As(err, &faults):
		for _, one := range faults {
			fmt.Fprintf(to, "vegress: %s\n", one)
		}
	default:
		fmt.Fprintf(to, "vegress: %s\n", oneLine(err))
	}
}

// oneLine is an error's text, all that is joined in it.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// said marks an error that the user has been told of.
type said struct{ error }

// Unwrap is the error that is marked.
func (e said) Unwrap() error { return e.error }

func newRoot(std Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "vegress",
		Short: "Which VM talks to the outside, and does anything justify it?",
		Long: `vegress takes the syslog of ESXi hosts and vCenters, says which VM, host and
role is behind each connection, finds external HTTP(S) that no backup, patch
or admin work justifies (MITRE ATT&CK DET0425), and forwards events and
findings to NATS JetStream, which it brings along.

Exit codes: 0 ok; 1 failed; 2 wrong usage or configuration.`,
		Example: `  vegress demo                          # see all of it work, nothing to install
  vegress run                           # the service; point ESXi at port 1514
  vegress replay host.log               # the whole pipeline over a file
  vegress tail                          # follow findings`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	group(root)
	root.SetIn(std.In)
	root.SetOut(std.Out)
	root.SetErr(std.Err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath()))
	})
	root.AddCommand(
		newRunCommand(std),
		newDemoCommand(std),
		newReplayCommand(std),
		newTailCommand(std),
		newExplainCommand(std),
		newSuggestCommand(std),
		newRulesCommand(std),
		newHostsCommand(std),
		newSimulateCommand(std),
		newInventoryCommand(std),
		newConfigCommand(std),
		newVersionCommand(std),
	)
	return root
}

// group makes cmd one that only holds others: alone it shows its help, and it
// refuses arguments. Without a Run of its own cobra would take any.
func group(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return usage(fmt.Errorf("unknown command %q for %q (see %s --help)", args[0], cmd.CommandPath(), cmd.CommandPath()))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// argCount makes cobra's count of arguments a usage error.
func argCount(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage(fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath()))
		}
		return nil
	}
}
