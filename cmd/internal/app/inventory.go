package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/vsphere/inventory"
)

type exportFlags struct {
	config  string
	output  string
	vcenter inventory.VCenter
	timeout time.Duration
}

func newInventoryCommand(std Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inventory",
		Short: "What vegress knows of VMs and hosts",
	}
	var flags exportFlags
	export := &cobra.Command{
		Use:   "export",
		Short: "Write the inventory as the file that replay --inventory reads",
		Long: `Export writes what the running service knows, from its snapshot in the data
folder. With --vcenter it logs in and reads the vCenter itself; the password
comes from --password-file or from VEGRESS_VCENTER_<NAME>_PASSWORD.`,
		Example: `  vegress inventory export > inventory.json
  vegress inventory export --vcenter https://vc1.example.com/sdk --username reader@vsphere.local \
      --password-file pw --ca-file vc1.pem -o inventory.json`,
		Args: argCount(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return exportInventory(cmd.Context(), std, flags)
		},
	}
	configFlag(export, &flags.config)
	f := export.Flags()
	f.StringVarP(&flags.output, "output", "o", "-", "`file` to write; - is standard output")
	f.StringVar(&flags.vcenter.URL, "vcenter", "", "`URL` of a vCenter to read: https://host/sdk")
	f.StringVar(&flags.vcenter.Name, "name", "vc1", "name of that vCenter")
	f.StringVar(&flags.vcenter.Username, "username", "", "account with the Read-only role")
	f.StringVar(&flags.vcenter.PasswordFile, "password-file", "", "`file` with its password")
	f.StringVar(&flags.vcenter.CAFile, "ca-file", "", "PEM `file` with the certificates to trust")
	f.StringVar(&flags.vcenter.Thumbprint, "thumbprint", "", "SHA-256 or SHA-1 of the server's certificate, instead of --ca-file")
	f.DurationVar(&flags.timeout, "timeout", 5*time.Minute, "give up after this time")
	group(cmd)
	cmd.AddCommand(export)
	return cmd
}

func exportInventory(ctx context.Context, std Streams, flags exportFlags) error {
	config, err := configs.Load(flags.config, nil)
	if err != nil {
		return usage(err)
	}
	known, err := knownInventory(ctx, std, flags, &config)
	if err != nil {
		return err
	}
	if flags.output == "-" {
		return known.Export(std.Out)
	}
	file, err := os.Create(flags.output)
	if err != nil {
		return fmt.Errorf("write --output: %w", err)
	}
	return errors.Join(known.Export(file), file.Close())
}

// knownInventory is what the vCenter says now, or what the service last wrote
// down.
func knownInventory(ctx context.Context, std Streams, flags exportFlags, config *configs.Config) (*inventory.Inventory, error) {
	if flags.vcenter.URL == "" {
		return savedInventory(config)
	}
	if err := flags.vcenter.Validate(); err != nil {
		return nil, usage(err)
	}
	ctx, cancel := context.WithTimeout(ctx, flags.timeout)
	defer cancel()
	log, _, err := newLogger(std.Err, configs.Log{Level: "warn", Format: "text"})
	if err != nil {
		return nil, err
	}
	return inventory.Collect(ctx, inventory.Options{
		VCenters: []inventory.VCenter{flags.vcenter}, Roles: config.Roles, AllTags: true,
		UserAgent: "vegress/" + buildVersion(), Logger: log,
	})
}

func savedInventory(config *configs.Config) (*inventory.Inventory, error) {
	name := filepath.Join(config.DataDir, snapshotName)
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("no snapshot at %s: name the service's data folder (--config, or VEGRESS_DATA_DIR), or read a vCenter with --vcenter", name)
	}
	if err != nil {
		return nil, fmt.Errorf("open the inventory's snapshot: %w", err)
	}
	defer file.Close()
	return readInventory(file, name, config.Roles)
}

// readInventory reads an exported inventory or a snapshot.
func readInventory(from io.Reader, name string, roles []inventory.Role) (*inventory.Inventory, error) {
	known, err := inventory.NewStatic(from, roles)
	if err != nil {
		return nil, fmt.Errorf("read inventory %s: %w", name, err)
	}
	return known, nil
}
