package apiuse

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

var validAccounts = event.Attack{Tactic: "Initial Access", TacticUID: "TA0001", Technique: "Valid Accounts", TechniqueUID: "T1078"}

var externalAnalytic = event.Analytic{
	UID: ExternalAPI, Name: "vSphere API used from outside", Version: "1",
	Desc: "Somebody used, or tried to log in to, the API of a vCenter or an ESXi host from an address that is not the estate's.",
	Rule: true,
	Attacks: []event.Attack{
		{Tactic: "Initial Access", TacticUID: "TA0001", Technique: "External Remote Services", TechniqueUID: "T1133"},
		validAccounts,
	},
}

var tripleAnalytic = event.Analytic{
	UID: NewTriple, Name: "Privileged vSphere operation by a new combination of account, client and address", Version: "1",
	Desc:    "An account did something privileged from an address, or with a client, with which it was never seen before.",
	Attacks: []event.Attack{validAccounts},
}

var guestAnalytic = event.Analytic{
	UID: GuestOps, Name: "Guest operation by an account that is not expected to", Version: "1",
	Desc:    "Programs were run, or files read or written, inside a guest through vSphere (StartProgramInGuest and the like), by an account that is not listed for it.",
	Attack:  "AN0646",
	Rule:    true,
	Attacks: []event.Attack{{Tactic: "Execution", TacticUID: "TA0002", Technique: "ESXi Administration Command", TechniqueUID: "T1675"}},
}

var bulkAnalytic = event.Analytic{
	UID: Bulk, Name: "Bulk operation on virtual machines", Version: "1",
	Desc:    "One account powered off, deleted or exported many virtual machines, or removed many snapshots, within a short time.",
	Attacks: slices.Collect(attacksInOrder),
}

// bulkAttacks are the techniques of what is done in bulk.
var bulkAttacks = map[kind]event.Attack{
	powerOff:       {Tactic: "Impact", TacticUID: "TA0040", Technique: "System Shutdown/Reboot", TechniqueUID: "T1529"},
	removeSnapshot: {Tactic: "Impact", TacticUID: "TA0040", Technique: "Inhibit System Recovery", TechniqueUID: "T1490"},
	destroy:        {Tactic: "Impact", TacticUID: "TA0040", Technique: "Data Destruction", TechniqueUID: "T1485"},
	export:         {Tactic: "Collection", TacticUID: "TA0009", Technique: "Data from Local System", TechniqueUID: "T1005"},
}

func attacksInOrder(yield func(event.Attack) bool) {
	for _, k := range slices.Sorted(maps.Keys(bulkAttacks)) {
		if !yield(bulkAttacks[k]) {
			return
		}
	}
}

// Notes of findings: the low bits are the kinds.
const (
	noteUsed uint32 = 1 << (iota + 16)
	noteFailed
	noteFarMore
)

func noteOf(k kind) uint32 { return 1 << k }

// words describe one operation. They implement analytics.Describer.
type words struct {
	op     *operation
	policy *Policy
	count  int // of bulk operations
}

// Describe writes the finding's title and adds the sentences that are news.
func (w *words) Describe(f *event.Finding, ev *event.Event, all, news uint32) {
	f.Risk, f.Confidence = max(f.Risk, analytics.RiskOf(f.Severity)), 2
	first := len(f.Explanation) == 0
	switch f.Analytic.UID {
	case ExternalAPI:
		w.outside(f, ev, all, news, first)
	case NewTriple:
		w.triple(f, ev, first)
	case GuestOps:
		w.guest(f, ev, first, news)
	case Bulk:
		w.bulk(f, ev, first, news)
	}
}

// machine names whose API it is.
func machine(ev *event.Event) string {
	kind := "vCenter"
	if ev.LogName == "hostd" || ev.Device.Host != nil && !ev.Device.Host.IsVCenter {
		kind = "ESXi host"
	}
	return strings.TrimSpace(kind + " " + deviceOf(ev))
}

// actor names who acted, as far as it is known.
func (w *words) actor(ev *event.Event) string {
	s := w.op.account.String()
	if w.op.account.name == "" {
		s = "An account that is not named"
	}
	if len(w.op.triples) == 1 {
		return fmt.Sprintf("%s, with %s from %s,", s, w.op.triples[0].client(), w.op.triples[0].addr)
	}
	if ev.Src.IP.IsValid() {
		s += " from " + ev.Src.IP.String()
	}
	return s
}

// done says what the event tells: "called vim.VirtualMachine.powerOff on vm-33".
func done(ev *event.Event) string {
	if ev.Class == event.Authentication {
		if ev.Status == event.StatusFailure {
			return "failed to log in"
		}
		return "logged in"
	}
	what := ev.Operation
	if t := field(ev, fieldTaskText); t != "" {
		what = "task " + fmt.Sprintf("%q", t)
	}
	if op := field(ev, fieldGuestOp); op != "" {
		what = "guest operation " + op
	}
	s := "called " + what
	if ev.Resource != "" {
		s += " on " + ev.Resource
	}
	return s
}

// fact is what was seen first.
func (w *words) fact(ev *event.Event) string {
	s := fmt.Sprintf("%s %s at %s", w.actor(ev), done(ev), machine(ev))
	if via := field(ev, fieldActorVia); via != "" {
		s += fmt.Sprintf(" (who it was is known by its %s)", via)
	}
	return s + "."
}

func (w *words) outside(f *event.Finding, ev *event.Event, all, news uint32, first bool) {
	f.Title = fmt.Sprintf("%s was used from outside: %s, by %s", machine(ev), ev.Src.IP, w.op.account)
	if all&noteUsed == 0 {
		f.Title = fmt.Sprintf("Somebody outside tried to log in to %s: %s, as %s", machine(ev), ev.Src.IP, w.op.account)
	}
	if first {
		f.Confidence = 3
		analytics.Explain(f, w.fact(ev))
		analytics.Explain(f, fmt.Sprintf("%s is an address of the internet, and in none of networks.internal.", ev.Src.IP))
		analytics.Explain(f, fmt.Sprintf("Expected? If the address is the estate's own, add it: networks: {internal: [%q]}; else let nothing outside reach the management network.", ev.Src.IP))
		return
	}
	if news&noteUsed != 0 {
		analytics.Explain(f, "High: "+w.fact(ev))
	}
	if w.op.kind != noKind {
		analytics.Explain(f, "Critical: it "+phrases[w.op.kind]+".")
	}
}

func (w *words) triple(f *event.Finding, ev *event.Event, first bool) {
	f.Title = fmt.Sprintf("%s used %s in a new way: with %s from %s", w.op.account, machine(ev), w.op.triples[0].client(), w.op.triples[0].addr)
	if first {
		analytics.Explain(f, w.fact(ev))
		analytics.Explain(f, fmt.Sprintf("This account, client and address were not seen together before the last %d hours, and %s has been watched for longer than apiuse.new_triple.learning (%s).",
			int(newFor.Hours()), deviceOf(ev), w.policy.learning))
	} else {
		analytics.Explain(f, fmt.Sprintf("It also %s.", phrases[w.op.kind]))
	}
	if tripleSeverity(w.op.kind) == event.SeverityHigh {
		analytics.Explain(f, fmt.Sprintf("High: it %s.", phrases[w.op.kind]))
	}
	if first {
		analytics.Explain(f, fmt.Sprintf("Expected? It is known from tomorrow on. For automation from changing addresses: apiuse: {new_triple: {users: [%q]}}.", w.op.account))
	}
}

func (w *words) guest(f *event.Finding, ev *event.Event, first bool, news uint32) {
	if first {
		f.Title = fmt.Sprintf("%s used guest operations at %s", w.op.account, machine(ev))
		if vm := ev.Dst.VMName; vm != "" {
			f.Title = fmt.Sprintf("%s used guest operations in VM %s", w.op.account, vm)
		}
		f.Confidence = 3
		analytics.Explain(f, w.fact(ev))
		analytics.Explain(f, "Guest operations work inside a guest without the guest's network: VMware Tools runs what it is told, with an account of the guest.")
	}
	switch {
	case news&(noteOf(guestRun)|noteOf(guestWrite)) != 0 && ev.Status != event.StatusFailure:
		analytics.Explain(f, fmt.Sprintf("High: it %s (%s).", phrases[w.op.kind], done(ev)))
	case news&noteFailed != 0:
		analytics.Explain(f, "The guest refused the account that was given.")
	}
	if first {
		analytics.Explain(f, fmt.Sprintf("Expected? Add the account: apiuse: {guest_ops: {users: [%q]}}.", w.op.account))
	}
}

// bulkKeys are the limits' keys.
var bulkKeys = [kinds]string{powerOff: "power_off", removeSnapshot: "remove_snapshots", destroy: "destroy", export: "export"}

func (w *words) bulk(f *event.Finding, ev *event.Event, first bool, news uint32) {
	limit := w.policy.limits[w.op.kind]
	if first {
		f.Title = fmt.Sprintf("%s %s in bulk: %d within %s", w.op.account, phrases[w.op.kind], w.count, w.policy.window)
		analytics.Explain(f, w.fact(ev))
		analytics.Explain(f, fmt.Sprintf("Within %s it was %d, and apiuse.bulk.%s is %d.", w.policy.window, w.count, bulkKeys[w.op.kind], limit))
		if w.op.kind == removeSnapshot {
			analytics.Explain(f, "No backup run that a backup product reports covers it, or the account is none of evidence.backup.users.")
		}
		analytics.Explain(f, fmt.Sprintf("Expected? Raise apiuse.bulk.%s, or name the account: apiuse: {bulk: {users: [%q]}}.", bulkKeys[w.op.kind], w.op.account))
	}
	if news&noteFarMore != 0 {
		analytics.Explain(f, fmt.Sprintf("Critical: it is more than %d times the limit.", farMore))
	}
}

// Quiets gives the configuration that keeps findings like f away, as YAML;
// empty: f is not of this package.
func Quiets(f *event.Finding) string {
	account := f.Key
	switch f.Analytic.UID {
	case ExternalAPI:
		return fmt.Sprintf("networks:\n  internal: [%q]    # only if the address is the estate's own\n", f.Key)
	case NewTriple:
		account, _, _ = strings.Cut(account, " with ")
		return fmt.Sprintf("apiuse:\n  new_triple: {users: [%q]}    # for automation; a person's is known from tomorrow on\n", account)
	case GuestOps:
		return fmt.Sprintf("apiuse:\n  guest_ops: {users: [%q]}\n", account)
	case Bulk:
		for _, phrase := range phrases {
			if phrase != "" {
				account = strings.TrimSuffix(account, " "+phrase)
			}
		}
		return fmt.Sprintf("apiuse:\n  bulk: {users: [%q]}\n", account)
	}
	return ""
}
