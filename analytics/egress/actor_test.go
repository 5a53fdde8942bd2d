package egress_test

import (
	"testing"

	"github.com/vegress/vegress/analytics/egress"
	"github.com/vegress/vegress/event"
)

// A vCenter appliance is mostly a VM of its own inventory: it has the
// vCenter's built-in roles all the same. An ESXi host's are no VM's.
func TestVCenterThatIsAVM(t *testing.T) {
	p := policy(t, options(t))
	vm := &event.VM{Key: "vm:vc1/9", Name: "VCSA"}
	for _, tt := range []struct {
		name string
		host *event.Host
		want event.Verdict
	}{
		{"vCenter", &event.Host{Name: "vc1", IsVCenter: true}, event.VerdictJustified},
		{"ESXi host", &event.Host{Name: "esx01"}, event.VerdictUnjustified},
		{"no host", nil, event.VerdictUnjustified},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ev := (&sample{Host: "dl.broadcom.com"}).event()
			ev.Src.Context = event.Context{VM: vm, Host: tt.host, State: event.StateLive}
			egress.New(p, domain, nil).Detect(ev, func(*event.Finding) {})
			if ev.Justification.Verdict != tt.want {
				t.Errorf("verdict %d by %q, reason %d; want %d", ev.Justification.Verdict, ev.Justification.By, ev.Justification.Reason, tt.want)
			}
		})
	}
}
