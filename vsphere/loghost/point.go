package loghost

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vmware/govmomi/cli/esx"
	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vapi/appliance/logging"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/types"

	"github.com/vegress/vegress/vsphere/session"
)

// State says how a host is after its Plan.
type State string

// States. A host is New, or it is as it was.
const (
	New       State = "new"       // it has the new list, and lines arrive or were not waited for
	Unchanged State = "unchanged" // there was nothing to do
	Refused   State = "refused"   // nothing was done
	Undone    State = "undone"    // what was done is undone: it has its old list
	Old       State = "old"       // nothing was done, since the work was interrupted or could not begin
	InDoubt   State = "in_doubt"  // undoing failed as well: look at the host
)

// Outcome is what became of a Plan. It holds no secrets.
type Outcome struct {
	Plan
	State State `json:"state"`
	// Confirmed: a line of the host came afterwards.
	Confirmed bool `json:"confirmed"`
	// LogHost is the list that the host has now, as read back.
	LogHost string   `json:"log_host"`
	Notes   []string `json:"notes,omitempty"`
	Error   string   `json:"error,omitempty"`
}

// Failed says that the host is not as it was wished.
func (o *Outcome) Failed() bool { return o.State != New && o.State != Unchanged }

func (o *Outcome) note(format string, args ...any) {
	o.Notes = append(o.Notes, fmt.Sprintf(format, args...))
}

// ErrNotWaited says that nobody can tell whether lines of a host arrive.
var ErrNotWaited = errors.New("not waited for a line")

// Pointer does Plans at one vCenter, with an account that may write. Its
// methods are safe for concurrent use.
type Pointer struct {
	session *session.Session
	// Confirm waits for the first line of a host. An error undoes the plan, but
	// for ErrNotWaited and that of an ended context. nil: nobody waits.
	Confirm func(ctx context.Context, p *Plan) error
}

// NewPointer prepares the work at one vCenter. It reads files only.
func NewPointer(o session.Options) (*Pointer, error) {
	s, err := session.New(o)
	if err != nil {
		return nil, err
	}
	return &Pointer{session: s}, nil
}

// Close logs out.
func (p *Pointer) Close() { p.session.Drop() }

// callTimeout bounds one call that changes something, and its undoing.
const callTimeout = 30 * time.Second

// Do does a plan. When ctx ends before anything is written, the machine stays
// old. What is once begun is brought to its end: then it is new, or undone.
func (p *Pointer) Do(ctx context.Context, plan Plan) Outcome {
	o := Outcome{Plan: plan, LogHost: plan.Now, State: Unchanged}
	switch {
	case plan.Refused != "":
		o.State, o.Error = Refused, plan.Refused
	case !plan.Work():
	case ctx.Err() != nil:
		o.State, o.Error = Old, "interrupted before its turn"
	default:
		p.work(ctx, &o)
	}
	return o
}

// machine is what a plan is done to.
type machine interface {
	// list reads the list of targets as it is now.
	list(ctx context.Context) (string, error)
	// put makes it the plan's new list, or the old one again.
	put(ctx context.Context, then bool) error
	// check says whether all else is as the plan wants it.
	check(ctx context.Context) error
	// wake lets the machine begin with it; what it cannot do is a note.
	wake(ctx context.Context, note func(string, ...any))
	// touched says that something beside the list is changed.
	touched() bool
}

func (p *Pointer) work(ctx context.Context, o *Outcome) {
	m, err := p.machine(ctx, &o.Plan)
	var now string
	if err == nil {
		now, err = m.list(ctx)
	}
	if err == nil && !sameList(now, o.Now) {
		o.LogHost = now
		err = fmt.Errorf("its list has changed since the plan was made, to %q: plan again", now)
	}
	if err != nil {
		o.State, o.Error = Old, err.Error()
		return
	}
	// From here on the work is brought to its end, also when ctx ends.
	whole := context.WithoutCancel(ctx)
	if err := apply(whole, m, o); err != nil {
		undo(whole, m, o, err)
		return
	}
	o.State = New
	switch err := p.confirm(ctx, &o.Plan); {
	case err == nil:
		o.Confirmed = true
	case ctx.Err() != nil:
		o.note("interrupted: not waited for a line")
	case errors.Is(err, ErrNotWaited):
		o.note("%s", err)
	default:
		undo(whole, m, o, err)
	}
}

func (p *Pointer) confirm(ctx context.Context, plan *Plan) error {
	if p.Confirm == nil {
		return ErrNotWaited
	}
	return p.Confirm(ctx, plan)
}

// apply writes the new list, and reads it back.
func apply(ctx context.Context, m machine, o *Outcome) error {
	if err := bounded(ctx, func(ctx context.Context) error { return m.put(ctx, true) }); err != nil {
		return err
	}
	_ = bounded(ctx, func(ctx context.Context) error { m.wake(ctx, o.note); return nil })
	return bounded(ctx, func(ctx context.Context) error {
		now, err := m.list(ctx)
		if err != nil {
			return fmt.Errorf("read back: %w", err)
		}
		if o.LogHost = now; !sameList(now, o.Then) {
			return fmt.Errorf("read back: it has %q", now)
		}
		return m.check(ctx)
	})
}

// undo gives the machine its old list again, unless it still has it: what was
// refused to begin with would be refused here too.
func undo(ctx context.Context, m machine, o *Outcome, why error) {
	o.State, o.Error = Old, why.Error()
	asBefore := func(ctx context.Context) error {
		now, err := m.list(ctx)
		if err != nil {
			return err
		}
		if o.LogHost = now; !sameList(now, o.Now) || m.touched() {
			return fmt.Errorf("it has %q", now)
		}
		return nil
	}
	if bounded(ctx, asBefore) == nil {
		return
	}
	o.State = Undone
	err := bounded(ctx, func(ctx context.Context) error { return m.put(ctx, false) })
	if err == nil {
		err = bounded(ctx, asBefore)
	}
	if err != nil {
		o.State = InDoubt
		o.Error += "; undoing that failed too: " + err.Error()
		return
	}
	_ = bounded(ctx, func(ctx context.Context) error { m.wake(ctx, func(string, ...any) {}); return nil })
}

func bounded(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return do(ctx)
}

func (p *Pointer) machine(ctx context.Context, plan *Plan) (machine, error) {
	vim, err := p.session.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if plan.MoRef == "" {
		return &applianceMachine{session: p.session, plan: plan}, nil
	}
	return &hostMachine{vim: vim, plan: plan}, nil
}

// hostMachine is an ESXi host.
type hostMachine struct {
	vim    *vim25.Client
	plan   *Plan
	opened bool // its rule set, by us
}

func (m *hostMachine) options() *object.OptionManager {
	return object.NewOptionManager(m.vim, m.plan.host.options)
}

func (m *hostMachine) firewall() *object.HostFirewallSystem {
	return object.NewHostFirewallSystem(m.vim, m.plan.host.firewall)
}

func (m *hostMachine) touched() bool { return m.opened }

func (m *hostMachine) check(ctx context.Context) error {
	if !m.opened {
		return nil
	}
	info, err := m.firewall().Info(ctx)
	if err != nil {
		return fmt.Errorf("read back the firewall: %w", err)
	}
	for _, r := range info.Ruleset {
		if r.Key == ruleSetKey && r.Enabled {
			return nil
		}
	}
	return fmt.Errorf("read back: rule set %s is still closed", ruleSetKey)
}

func (m *hostMachine) list(ctx context.Context) (string, error) {
	found, err := m.options().Query(ctx, keyLogHost)
	if fault.Is(err, &types.InvalidName{}) {
		return "", nil // the host has no such option yet
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %s", keyLogHost, denial(err, "System.Read"))
	}
	for _, o := range found {
		if o.GetOptionValue().Key == keyLogHost {
			list, _ := o.GetOptionValue().Value.(string)
			return list, nil
		}
	}
	return "", nil
}

func (m *hostMachine) put(ctx context.Context, then bool) error {
	list := m.plan.Now
	if then {
		list = m.plan.Then
	}
	if m.plan.Now != m.plan.Then {
		err := m.options().Update(ctx, []types.BaseOptionValue{&types.OptionValue{Key: keyLogHost, Value: list}})
		if err != nil {
			return fmt.Errorf("set %s: %s", keyLogHost, denial(err, "Host.Config.AdvancedConfig"))
		}
	}
	firewall := m.firewall()
	switch {
	case then && m.plan.OpenRuleSet:
		if err := firewall.EnableRuleset(ctx, ruleSetKey); err != nil {
			return fmt.Errorf("enable rule set %s: %s", ruleSetKey, denial(err, "Host.Config.NetService"))
		}
		m.opened = true
	case !then && m.opened:
		if err := firewall.DisableRuleset(ctx, ruleSetKey); err != nil {
			return fmt.Errorf("disable rule set %s: %s", ruleSetKey, denial(err, "Host.Config.NetService"))
		}
		m.opened = false
	}
	return nil
}

// wake lets the host take the new settings up. None of it is certain to be
// needed, or to be had through vCenter: PowerCLI scripts reload after setting
// the option, and documentation asks for it after esxcli's.
func (m *hostMachine) wake(ctx context.Context, note func(string, ...any)) {
	if m.opened {
		if err := m.firewall().Refresh(ctx); err != nil {
			note("the firewall was not refreshed, which is seldom needed: %s", denial(err, "Host.Config.NetService"))
		}
	}
	host := types.ManagedObjectReference{Type: "HostSystem", Value: m.plan.MoRef}
	commands, err := esx.NewExecutor(ctx, m.vim, host)
	if err == nil {
		_, err = commands.Run(ctx, []string{"system", "syslog", "reload"})
	}
	if err != nil {
		note("the host's syslog was not reloaded by this: if no line comes, run: esxcli system syslog reload (%s)", denial(err, "a right that esxcli asks for"))
		return
	}
	// A line to wait for. A host that has none will send others.
	_, _ = commands.Run(ctx, []string{"system", "syslog", "mark", "--message=vegress hosts point"})
}

// applianceMachine is a vCenter appliance.
type applianceMachine struct {
	session *session.Session
	plan    *Plan
}

func (m *applianceMachine) list(ctx context.Context) (string, error) {
	found, err := forwarding(ctx, m.session)
	if err != nil {
		return "", fmt.Errorf("read the log forwarding: %s", restDenial(err))
	}
	v := VCenter{}
	for _, f := range found {
		v.Forwarding = append(v.Forwarding, serverTarget(f))
	}
	return strings.Join(raws(v.Forwarding), ","), nil
}

func (m *applianceMachine) put(ctx context.Context, then bool) error {
	list := m.plan.current
	if then {
		list = m.plan.servers()
	}
	var all []logging.Forwarding
	for _, t := range list {
		all = append(all, server(t))
	}
	if err := setForwarding(ctx, m.session, all); err != nil {
		return fmt.Errorf("set the log forwarding: %s", restDenial(err))
	}
	return nil
}

// The appliance takes its list up by itself.
func (m *applianceMachine) wake(context.Context, func(string, ...any)) {}
func (m *applianceMachine) check(context.Context) error                { return nil }
func (m *applianceMachine) touched() bool                              { return false }
