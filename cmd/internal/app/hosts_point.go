package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/configs"
	"github.com/vegress/vegress/vsphere/loghost"
	"github.com/vegress/vegress/vsphere/session"
)

// pointFlags say what hosts shall be pointed at, and by whom.
type pointFlags struct {
	estateFlags
	apply, dryRun bool
	tls, plain    bool
	appliances    bool
	parallel      int
	wait          time.Duration
	report        string
	resume        string
	json          bool
	writer        session.Options // its Username and PasswordFile
}

func newHostsPointCommand(std Streams) *cobra.Command {
	var flags pointFlags
	cmd := &cobra.Command{
		Use:   "point COLLECTOR",
		Short: "Have hosts, or vCenters, send their syslog to a collector as well",
		Long: `Point adds a collector to the log hosts of the selected hosts, and has their
firewalls let syslog out. Without --apply it only says what it would do, host by
host. It never takes another target away, only older entries of the same
collector.

COLLECTOR is its name or address as the hosts know it; that is
tcp://COLLECTOR:1514, or ssl://COLLECTOR:1514 with --tls, unless protocol and
port are named. From ESXi 8 on it asks for RFC 5424 and octet counting.

With --apply each host is set, read back, and waited for until its first line
arrives at the running service (--nats); what fails on the way is undone. That
needs an account that may write, beside the one that reads:
--write-username, with its password in --write-password-file or in
VEGRESS_VCENTER_<NAME>_WRITE_PASSWORD. It needs Host.Config.AdvancedConfig and
Host.Config.NetService on the hosts; with --vcenters, a role in the appliance.

Ctrl-C lets the hosts end that are being set, and leaves the others as they are;
the report says which. --resume goes on with a report: what is done is skipped.

Exit codes: 0 all hosts are as wished, or the plan is made; 1 some are not;
2 wrong usage or configuration.`,
		Example: `  vegress hosts point vegress.example.com --config /etc/vegress/vegress.yaml
  vegress hosts point vegress.example.com --cluster Production --host 'esx0*' --apply \
      --write-username 'writer@vsphere.local' --write-password-file pw
  vegress hosts point vegress.example.com --apply --write-username 'writer@vsphere.local' --resume point.jsonl
  vegress hosts point ssl://vegress.example.com:1514 --vcenters --json | jq '.plans[].then'`,
		Args: argCount(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return flags.run(cmd.Context(), std, args[0])
		},
	}
	flags.register(cmd)
	f := cmd.Flags()
	f.BoolVar(&flags.apply, "apply", false, "do it; without this, only the plan is shown")
	f.BoolVar(&flags.dryRun, "dry-run", false, "show the plan only, which is the default")
	f.BoolVar(&flags.tls, "tls", false, "ssl:// instead of tcp://")
	f.BoolVar(&flags.plain, "plain", false, "ESXi's own format also where RFC 5424 with octet counting can be had")
	f.BoolVar(&flags.appliances, "vcenters", false, "the vCenters' own log forwarding, instead of the hosts' log hosts")
	f.IntVar(&flags.parallel, "parallel", 8, "hosts to set at the same time, 1 to 64")
	f.DurationVar(&flags.wait, "wait", 2*time.Minute, "how long to wait for the first line of a host, then it is undone; 0s: not at all")
	f.StringVar(&flags.writer.Username, "write-username", "", "account that may change hosts, or the appliance")
	f.StringVar(&flags.writer.PasswordFile, "write-password-file", "", "`file` with its password; else VEGRESS_VCENTER_<NAME>_WRITE_PASSWORD")
	f.StringVar(&flags.report, "report", "", "`file` to write what was done to, as it is done (default: vegress-point-<time>.jsonl)")
	f.StringVar(&flags.resume, "resume", "", "report `file` of an earlier run: what it says is done is skipped, and it is written on")
	f.BoolVar(&flags.json, "json", false, "write a JSON object")
	return cmd
}

// check refuses flags that do not fit together.
func (f *pointFlags) check() error {
	switch {
	case f.apply && f.dryRun:
		return errors.New("--apply and --dry-run: set only one of them")
	case f.parallel < 1 || f.parallel > 64:
		return fmt.Errorf("--parallel is %d: want 1 to 64", f.parallel)
	case f.wait < 0 || f.wait > time.Hour:
		return fmt.Errorf("--wait is %s: want 0s to 1h", f.wait)
	case f.apply && f.writer.Username == "":
		return errors.New("--apply needs an account that may write: --write-username, with --write-password-file or VEGRESS_VCENTER_<NAME>_WRITE_PASSWORD")
	case f.resume != "" && f.report != "":
		return errors.New("--resume and --report: the report that is resumed is written on")
	case f.resume != "" && !f.apply:
		return errors.New("--resume goes on with work: that needs --apply")
	case f.appliances && f.only.part():
		return errors.New("--vcenters and --host or --cluster: vCenters are selected by --vcenter-name")
	}
	return nil
}

// pointing is one run of the command.
type pointing struct {
	flags    *pointFlags
	std      Streams
	target   loghost.Target
	vcenters []session.Options
	found    []loghost.VCenter
	plans    []loghost.Plan
}

func (f *pointFlags) run(ctx context.Context, std Streams, collector string) error {
	if err := f.check(); err != nil {
		return usage(err)
	}
	target, err := parseTarget(collector, f.tls)
	if err != nil {
		return usage(err)
	}
	config, err := configs.Load(f.nats.config, nil)
	if err != nil {
		return usage(err)
	}
	p := &pointing{flags: f, std: std, target: target}
	if p.vcenters, err = f.estateFlags.vcenters(&config); err != nil {
		return usage(err)
	}
	if p.found, err = f.read(ctx, p.vcenters); err != nil {
		return err
	}
	p.plan(ctx, &config)
	if !f.apply {
		return p.show()
	}
	return p.apply(ctx)
}

// plan makes the plan of each selected machine.
func (p *pointing) plan(ctx context.Context, config *configs.Config) {
	ctx, cancel := context.WithTimeout(ctx, namingTimeout)
	defer cancel()
	book := newBook()
	wish := loghost.Wish{Target: p.target, Plain: p.flags.plain, Ours: &loghost.Names{
		Hosts: []string{p.target.Host}, Addrs: book.Addrs(ctx, p.target.Host), Ports: append(listenPorts(config), p.target.Port),
	}}
	for i := range p.found {
		v := &p.found[i]
		switch {
		case v.Error != "":
		case p.flags.appliances:
			p.plans = append(p.plans, wish.VCenter(ctx, book, v))
		default:
			for k := range v.Hosts {
				p.plans = append(p.plans, wish.Host(ctx, book, &v.Hosts[k]))
			}
		}
	}
}

// unread is the error of the vCenters that could not be read.
func (p *pointing) unread() error {
	var errs []error
	for _, v := range p.found {
		if v.Error != "" {
			errs = append(errs, fmt.Errorf("vCenter %s: %s", v.Name, v.Error))
		}
	}
	return errors.Join(errs...)
}

// show writes the plan.
func (p *pointing) show() error {
	unread := p.unread()
	if p.flags.json {
		all := pointJSON{Target: p.target.Endpoint(), DryRun: true, Plans: append([]loghost.Plan{}, p.plans...)}
		if unread != nil {
			all.Error = oneLine(unread)
		}
		if err := json.NewEncoder(p.std.Out).Encode(all); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
		return unread
	}
	var b strings.Builder
	var work, same, refused int
	for i := range p.plans {
		switch plan := &p.plans[i]; {
		case plan.Refused != "":
			refused++
		case plan.Unchanged:
			same++
		default:
			work++
		}
		describe(&b, &p.plans[i])
	}
	fmt.Fprintf(&b, "\n%d to change, %d as wished already, %d refused. Nothing was changed: --apply does it.\n", work, same, refused)
	if _, err := io.WriteString(p.std.Out, b.String()); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return unread
}

// pointJSON is what the command says to programs.
type pointJSON struct {
	Target   string            `json:"target"`
	DryRun   bool              `json:"dry_run"`
	Plans    []loghost.Plan    `json:"plans,omitempty"`
	Outcomes []loghost.Outcome `json:"outcomes,omitempty"`
	Skipped  int               `json:"skipped,omitempty"` // done in the run that is resumed
	Report   string            `json:"report,omitempty"`
	Error    string            `json:"error,omitempty"`
}

// describe writes one plan for a person.
func describe(b *strings.Builder, p *loghost.Plan) {
	fmt.Fprintf(b, "%s  (%s%s)\n", plain(p.Host), p.VCenter, plain(versionWord(p.Version)))
	if p.Refused != "" {
		fmt.Fprintf(b, "  REFUSED   %s\n", plain(p.Refused))
		return
	}
	fmt.Fprintf(b, "  now       %s\n", cmp.Or(plain(p.Now), "not set"))
	if p.Unchanged {
		fmt.Fprintf(b, "  as wished already\n")
	} else {
		fmt.Fprintf(b, "  then      %s\n", plain(p.Then))
	}
	for _, part := range []struct {
		what string
		all  []string
	}{{"keeps", p.Keeps}, {"replaces", p.Replaces}, {"warning", p.Warnings}} {
		for _, one := range part.all {
			fmt.Fprintf(b, "  %-9s %s\n", part.what, plain(one))
		}
	}
	if p.OpenRuleSet {
		fmt.Fprintf(b, "  firewall  rule set syslog: closed, then open\n")
	}
}

func versionWord(v string) string {
	if v == "" {
		return ""
	}
	return ", " + v
}

// apply does the plans that are not done yet.
func (p *pointing) apply(ctx context.Context) error {
	report, err := p.openReport()
	if err != nil {
		return err
	}
	defer report.Close()
	todo := slices.DeleteFunc(slices.Clone(p.plans), func(plan loghost.Plan) bool { return report.done[planKey(&plan)] })
	w, err := p.workers(ctx, report, len(todo))
	if err != nil {
		return err
	}
	defer w.close()
	w.do(ctx, todo)
	return p.finish(w, report, len(p.plans)-len(todo))
}

// finish says what became of all.
func (p *pointing) finish(w *pointWorkers, report *pointReport, skipped int) error {
	count := map[loghost.State]int{}
	failed := 0
	for i := range w.outcomes {
		count[w.outcomes[i].State]++
		if w.outcomes[i].Failed() {
			failed++
		}
	}
	err := errors.Join(p.unread(), report.err)
	if p.flags.json {
		all := pointJSON{Target: p.target.Endpoint(), Outcomes: append([]loghost.Outcome{}, w.outcomes...), Skipped: skipped, Report: report.name}
		if err != nil {
			all.Error = oneLine(err)
		}
		err = errors.Join(err, json.NewEncoder(p.std.Out).Encode(all))
	} else {
		fmt.Fprintf(p.std.Out, "\n%d new, %d as wished already, %d undone, %d left as they were, %d refused, %d in doubt, %d done before. Report: %s\n",
			count[loghost.New], count[loghost.Unchanged], count[loghost.Undone], count[loghost.Old], count[loghost.Refused], count[loghost.InDoubt], skipped, report.name)
		if failed > 0 {
			fmt.Fprintf(p.std.Out, "To go on with those that are not new: the same command with --resume %s instead of --report\n", report.name)
		}
	}
	if err != nil {
		return err
	}
	if failed > 0 {
		return said{fmt.Errorf("%d are not as wished", failed)}
	}
	return nil
}

// planKey tells machines apart.
func planKey(p *loghost.Plan) [3]string { return [3]string{p.VCenter, p.MoRef, p.Host} }

// pointReport is the file that says what was done, a line of JSON for each
// machine, after a first line that says what for. It holds no secrets.
type pointReport struct {
	name string
	file *os.File
	done map[[3]string]bool // by an earlier run
	err  error              // of writing it
}

// reportHead is the report's first line.
type reportHead struct {
	Target     string    `json:"target"`
	Appliances bool      `json:"vcenters"`
	Began      time.Time `json:"began"`
}

func (p *pointing) openReport() (*pointReport, error) {
	now := time.Now().UTC()
	head := reportHead{Target: p.target.Endpoint(), Appliances: p.flags.appliances, Began: now}
	r := &pointReport{name: cmp.Or(p.flags.resume, p.flags.report, "vegress-point-"+now.Format("20060102T150405Z")+".jsonl"), done: map[[3]string]bool{}}
	mode := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if p.flags.resume != "" {
		if err := r.readDone(&head); err != nil {
			return nil, usage(fmt.Errorf("--resume %s: %w", r.name, err))
		}
		mode = os.O_WRONLY | os.O_APPEND
	}
	var err error
	if r.file, err = os.OpenFile(r.name, mode, 0o600); err != nil {
		return nil, fmt.Errorf("write --report: %w", err)
	}
	if p.flags.resume == "" {
		r.write(head)
	}
	return r, r.err
}

// readDone reads what an earlier run has done. A line that was cut off by the
// end of that run says nothing.
func (r *pointReport) readDone(want *reportHead) error {
	text, err := os.ReadFile(r.name)
	if err != nil {
		return err
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	var head reportHead
	if json.Unmarshal([]byte(first), &head) != nil || head.Target == "" {
		return errors.New("this is no report of vegress hosts point")
	}
	if head.Target != want.Target || head.Appliances != want.Appliances {
		return fmt.Errorf("it was made for %s, vCenters %t; this is for %s, vCenters %t", head.Target, head.Appliances, want.Target, want.Appliances)
	}
	for line := range strings.Lines(rest) {
		var o loghost.Outcome
		if json.Unmarshal([]byte(line), &o) == nil && o.Host != "" {
			r.done[planKey(&o.Plan)] = !o.Failed()
		}
	}
	return nil
}

// write adds a line, and brings it to the disk: what is done must not be
// forgotten.
func (r *pointReport) write(line any) {
	text, err := json.Marshal(line)
	if err == nil {
		_, err = r.file.Write(append(text, '\n'))
	}
	if err == nil {
		err = r.file.Sync()
	}
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("write the report %s: %w", r.name, err)
	}
}

func (r *pointReport) Close() error { return r.file.Close() }
