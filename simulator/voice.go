package simulator

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// voice draws what the programs of one host, or of the vCenter, say when
// nothing is the matter. The forms follow public samples of ESXi and vCenter
// logs; the texts are ours.
type voice struct {
	rng  *rand.Rand
	site *Site
	host *Host // nil: the vCenter
	st   style
	at   time.Time // now
}

// utterance is one kind of message, with how often it occurs.
type utterance struct {
	weight int
	draw   func(*voice) message
}

// say draws from the kinds by their weights.
func (v *voice) say(kinds []utterance) message {
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	n := v.rng.IntN(total)
	for _, k := range kinds {
		if n -= k.weight; n < 0 {
			return k.draw(v)
		}
	}
	return message{} // not reached: n is below total
}

func pick[T any](v *voice, all ...T) T { return all[v.rng.IntN(len(all))] }

// hex is n random hex digits, at most 16.
func (v *voice) hex(n int) string {
	return fmt.Sprintf("%016x", v.rng.Uint64())[:n]
}

func (v *voice) between(lo, hi int) int { return lo + v.rng.IntN(hi-lo) }

// vm is a VM on the host, or any VM of the site where the host has none.
func (v *voice) vm() *VM {
	if v.host != nil && len(v.host.vms) > 0 {
		return pick(v, v.host.vms...)
	}
	return pick(v, v.site.VMs...)
}

// address is the speaker's own.
func (v *voice) address() string {
	if v.host == nil {
		return v.site.VCenterAddr.String()
	}
	return v.host.Address.String()
}

// device is a disk's name; a host has few.
func (v *voice) device() string {
	return fmt.Sprintf("naa.60060160%016x%08x", v.site.Seed, v.rng.IntN(8))
}

func (v *voice) volume() string {
	return fmt.Sprintf("/vmfs/volumes/6398%04x-c3598817-6688-5c6f69e18ad0", v.rng.IntN(4))
}

// vmx is the configuration file of vm.
func (v *voice) vmx(vm *VM) string {
	return v.volume() + "/" + vm.Name + "/" + vm.Name + ".vmx"
}

// admins work from these addresses.
const (
	adminName    = `LAB\ops.admin`
	adminAddress = "10.9.0.15"
)
