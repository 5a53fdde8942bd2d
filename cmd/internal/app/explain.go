package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/vegress/vegress/analytics/apiuse"
	"github.com/vegress/vegress/analytics/risk"
	"github.com/vegress/vegress/analytics/sigma/stream"
	"github.com/vegress/vegress/event"
	"github.com/vegress/vegress/forward"
)

func newExplainCommand(std Streams) *cobra.Command {
	var flags natsFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain UID",
		Short: "Say why a finding was made, and what would have justified it",
		Long: `Explain shows one finding of a running service as it stands: what was seen, who
it was, the reasons, the records it rests on, and the configuration that would
have justified it, ready to paste. UID is the finding's, or the beginning of it,
as "vegress tail" shows it.`,
		Example: `  vegress explain 335273c6
  vegress explain 335273c627b960eef2c8a768b81443c6 --json | jq .evidences`,
		Args: argCount(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := flags.finding(cmd.Context(), std, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return explainJSON(std.Out, f)
			}
			_, err = io.WriteString(std.Out, explain(f))
			return err
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the finding as OCSF JSON; what would justify it is in unmapped.would_justify")
	return cmd
}

// uidForm is a finding's uid, or what it begins with.
var uidForm = regexp.MustCompile(`^[0-9a-f]{4,32}$`)

// finding reads the one whose uid begins so.
func (f *natsFlags) finding(ctx context.Context, std Streams, prefix string) (*event.Finding, error) {
	if !uidForm.MatchString(prefix) {
		return nil, usage(fmt.Errorf("%q is no uid of a finding: want 4 to 32 digits of hex, as vegress tail shows them", prefix))
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	nc, err := f.dial(std, end)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	found, err := forward.FindFindings(ctx, nc, prefix, 2)
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return nil, cause // the user may not read
	case err != nil:
		return nil, hinted(err)
	case len(found) == 0:
		return nil, fmt.Errorf("no finding begins with %s (it may be older than forward.findings.max_age keeps)", prefix)
	case len(found) > 1:
		return nil, fmt.Errorf("%s is ambiguous: %s and %s begin so; give more of it", prefix, found[0].UID, found[1].UID)
	}
	return &found[0], nil
}

// explain is a finding for a person.
func explain(f *event.Finding) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("%s", plain(f.Title))
	say("")
	say("  finding     %s  (%s)", f.UID, plain(f.Analytic.UID))
	say("  severity    %s, risk score %d of 100, %s", f.Severity, f.Risk, statusWord(f))
	say("  seen        %d times, %s to %s", f.Count, clockTime(f.FirstSeen), clockTime(f.LastSeen))
	if f.Connections > 0 {
		say("  connections %d", f.Connections)
	}
	if f.BytesOut > 0 || f.BytesIn > 0 {
		say("  bytes       %d sent, %d received", f.BytesOut, f.BytesIn)
	}
	who(say, f)
	if j := &f.Justification; j.Verdict != event.VerdictNone {
		say("  verdict     %s", strings.TrimSpace(j.Verdict.String()+" "+j.Reason.String()))
	}
	say("")
	say("Why")
	for _, s := range f.Explanation {
		say("  - %s", plain(s))
	}
	if f.Analytic.UID != risk.Analytic { // that rests on findings, which the reasons name
		say("")
		say("Records (%d of %d)", len(f.Evidence), f.Count)
	}
	for i := range f.Evidence {
		e := &f.Evidence[i]
		switch {
		case e.Raw == "":
			say("  event %s", plain(e.UID)) // longer than a finding keeps
			continue
		case !utf8.ValidString(e.Raw) || strings.ContainsRune(e.Raw, 0):
			say("  bytes %x", e.Raw)
			continue
		}
		for line := range strings.Lines(e.Raw) {
			say("  %s", plain(strings.TrimSuffix(line, "\n")))
		}
	}
	if yaml := wouldJustify(f); yaml != "" {
		say("")
		say("If it is expected, this would have justified it (roles and justifications, then SIGHUP)")
		b.WriteString("\n" + yaml)
	}
	if yaml := quiets(f); yaml != "" {
		say("")
		say("If it is expected, this keeps the like of it away (then SIGHUP)")
		b.WriteString("\n" + yaml)
	}
	return b.String()
}

// quiets is the configuration that keeps findings away which no justification
// is for.
func quiets(f *event.Finding) string { return cmp.Or(apiuse.Quiets(f), stream.Quiets(f)) }

func statusWord(f *event.Finding) string {
	if f.Activity == event.FindingClose {
		return "closed"
	}
	return "open"
}

// who writes what is known of the machine and of what it talked to.
func who(say func(string, ...any), f *event.Finding) {
	c := &f.Src.Context
	switch {
	case c.VM != nil:
		vm := c.VM
		say("  who         VM %s (%s) on host %s, cluster %s, folder %s", plain(vm.Name), vm.InstanceUUID, plain(vm.Host), plain(vm.Cluster), plain(vm.Folder))
		say("              roles %s; tags %s; found by %s, inventory %s", listed(vm.Roles), listed(vm.Tags), c.Via, c.State)
	case len(c.Candidates) > 0:
		var names []string
		for _, vm := range c.Candidates {
			names = append(names, vm.Name)
		}
		say("  who         %s, which may be any of %s", f.Src.IP, listed(names))
	default:
		say("  who         %s", plain(f.Entity))
	}
	if f.Key != "" && f.Analytic.UID != risk.Analytic {
		say("  %-11s %s", aboutWhat(f), plain(talkedTo(f)))
	}
}

// aboutWhat says what a finding's key is.
func aboutWhat(f *event.Finding) string {
	switch {
	case strings.HasPrefix(f.Analytic.UID, "vpxd."):
		return "by"
	case stream.IsRule(f):
		return "of"
	}
	return "talked to"
}

func talkedTo(f *event.Finding) string {
	to := f.Key
	if f.Dst.IP.IsValid() && f.Dst.IP.String() != to {
		to += " at " + f.Dst.IP.String()
	}
	if f.Dst.Port != 0 {
		to += fmt.Sprintf(", port %d", f.Dst.Port)
	}
	if f.Dst.Category != "" {
		to += ", category " + f.Dst.Category
	}
	return to
}

func listed(all []string) string {
	if len(all) == 0 {
		return "none"
	}
	return plain(strings.Join(all, ", "))
}

// wouldJustify is the configuration that would have made the finding's first
// connection a justified one; empty where none could: nobody knows who it was,
// or no rule can name where it went.
func wouldJustify(f *event.Finding) string {
	to := ruleDestination(f)
	if f.Justification.Verdict != event.VerdictUnjustified || to == "" {
		return ""
	}
	var b strings.Builder
	role := ruleRole(f)
	if role == "" {
		name := f.Src.Context.VM.Name
		role = "vm_" + event.Slug(name) // a VM can be called "any", or as a role is
		fmt.Fprintf(&b, "roles:\n  - {name: %q, names: [%q]}\n", role, strings.ReplaceAll(name, "*", "?"))
	}
	fmt.Fprintf(&b, "justifications:\n  - name: %q\n    role: %q\n    destinations: [%q]\n", fmt.Sprintf("explained %.8s", f.UID), role, to)
	if f.Dst.Port != 0 {
		fmt.Fprintf(&b, "    ports: [%d]\n", f.Dst.Port)
	}
	fmt.Fprintf(&b, "    expires: %s    # a rule without an end stays for ever\n    ticket: \"\"             # why it is so\n",
		f.LastSeen.UTC().AddDate(0, 3, 0).Format(time.DateOnly))
	return b.String()
}

// ruleRole is a role that the machine has; empty for a VM that has none.
func ruleRole(f *event.Finding) string {
	host := cmp.Or(f.Src.Context.Host, f.Device.Host)
	switch vm := f.Src.Context.VM; {
	case vm != nil && len(vm.Roles) > 0:
		return vm.Roles[0]
	case vm != nil:
		return ""
	case host != nil && host.IsVCenter:
		return "vcenter"
	case host != nil:
		return "hypervisor"
	}
	return "management" // an agent of either
}

// ruleDestination is where it went, as a rule can name it: a name that is known
// only from other machines' DNS answers justifies nothing.
func ruleDestination(f *event.Finding) string {
	name := cmp.Or(f.Dst.Hostname, event.URLHost(f.URL))
	if strings.HasPrefix(f.Dst.NameVia, "dns_shared") {
		name = ""
	}
	_, err := netip.ParseAddr(name)
	if name = strings.ToLower(strings.TrimSuffix(name, ".")); strings.Contains(name, ".") && err != nil {
		return name
	}
	if f.Dst.IP.IsValid() {
		return f.Dst.IP.Unmap().WithZone("").String()
	}
	return name
}

// explainJSON writes the finding, with what would justify it.
func explainJSON(to io.Writer, f *event.Finding) error {
	var all map[string]any
	if err := json.Unmarshal(f.AppendJSON(nil), &all); err != nil {
		return fmt.Errorf("write the finding: %w", err)
	}
	if unmapped, ok := all["unmapped"].(map[string]any); ok {
		unmapped["would_justify"] = cmp.Or(wouldJustify(f), quiets(f))
	}
	return json.NewEncoder(to).Encode(all)
}
