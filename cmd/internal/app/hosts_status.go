package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/vsphere/loghost"
)

func newHostsStatusCommand(std Streams) *cobra.Command {
	var flags estateFlags
	var targets []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show where all hosts and vCenters send their syslog, and what arrives",
		Long: `Status asks the vCenters where their hosts, and they themselves, send their
syslog, whether the hosts' firewalls let it out, and a running service what
arrives: one table. It writes nothing.

A target is vegress when its name, or an address that it resolves to, is one of
this machine's; --target names the collector when this is another machine. Where
no service answers, the columns of what arrives are empty.

Exit codes: 0 all is well; 1 something is wrong, and the last lines say what to
do; 2 wrong usage or configuration.`,
		Example: `  vegress hosts status --config /etc/vegress/vegress.yaml
  vegress hosts status --target vegress.example.com --cluster Production --json | jq '.problems'
  vegress hosts status --vcenter https://vc1.example.com/sdk --username reader@vsphere.local \
      --password-file pw --ca-file vc1.pem --nats tls://vegress.example.com:4222 --nats-credentials vegress.creds`,
		Args: argCount(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := flags.status(cmd.Context(), std, targets)
			if err != nil {
				return err
			}
			if asJSON {
				err = json.NewEncoder(std.Out).Encode(r)
			} else {
				_, err = std.Out.Write(r.table())
			}
			if err != nil {
				return fmt.Errorf("write output: %w", err)
			}
			if len(r.Problems) > 0 {
				return said{errors.New("something is wrong")}
			}
			return nil
		},
	}
	flags.register(cmd)
	cmd.Flags().StringSliceVar(&targets, "target", nil, "`names` or addresses by which hosts know the collector (default: those of this machine)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write a JSON object")
	return cmd
}

// hostsStatus is what status says, for programs.
type hostsStatus struct {
	Names    loghost.Names   `json:"vegress"` // what counts as vegress
	VCenters []vcenterStatus `json:"vcenters"`
	Hosts    []hostStatus    `json:"hosts"`
	Problems []problemCount  `json:"problems"`
	Notes    []string        `json:"notes,omitempty"`
}

// pathStatus is what hosts and vCenters have in common.
type pathStatus struct {
	Ours     loghost.Answer  `json:"to_vegress"`
	Own      *loghost.Target `json:"target,omitempty"` // the one that is vegress
	Live     *event.HostPath `json:"live,omitempty"`
	State    string          `json:"state"`
	Problems []problem       `json:"problems,omitempty"`
}

type hostStatus struct {
	loghost.Host
	pathStatus
}

type vcenterStatus struct {
	loghost.VCenter
	pathStatus
}

// status reads everything.
func (f *estateFlags) status(ctx context.Context, std Streams, targets []string) (*hostsStatus, error) {
	config, err := configs.Load(f.nats.config, nil)
	if err != nil {
		return nil, usage(err)
	}
	vcenters, err := f.vcenters(&config)
	if err != nil {
		return nil, usage(err)
	}
	book := newBook()
	r := &hostsStatus{VCenters: []vcenterStatus{}, Hosts: []hostStatus{}, Problems: []problemCount{}}
	if r.Names, err = ownNames(ctx, book, &config, targets); err != nil {
		return nil, usage(err)
	}
	all, err := f.read(ctx, vcenters)
	if err != nil {
		return nil, err
	}
	r.note(len(targets) > 0)
	live, err := f.nats.livePaths(ctx, std)
	if err != nil {
		r.Notes = append(r.Notes, "what arrives is not known: "+oneLine(err))
	}
	naming, cancel := context.WithTimeout(ctx, namingTimeout)
	defer cancel()
	x := examiner{book: book, names: &r.Names, live: live, maxSkew: config.MaxSkew}
	for i := range all {
		r.VCenters = append(r.VCenters, x.vcenter(naming, &all[i]))
		for k := range all[i].Hosts {
			r.Hosts = append(r.Hosts, x.host(naming, &all[i].Hosts[k]))
		}
	}
	r.count()
	return r, nil
}

// note says which names count.
func (r *hostsStatus) note(named bool) {
	text := "counted as vegress: " + strings.Join(r.Names.Hosts, ", ")
	for _, ip := range r.Names.Addrs {
		text += ", " + ip.String()
	}
	if len(r.Names.Ports) > 0 {
		text += " at port " + strings.Trim(fmt.Sprint(r.Names.Ports), "[]")
	}
	if !named {
		text += " (this machine; name another collector with --target)"
	}
	r.Notes = append(r.Notes, text)
}
