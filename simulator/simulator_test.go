package simulator_test

import (
	"context"
	"fmt"

	"github.com/vegress/vegress/simulator"
)

// An estate has a vCenter to connect to, hosts that send syslog, and the truth
// about what they send.
func Example() {
	ctx := context.Background()
	estate, err := simulator.Start(ctx, simulator.Options{Seed: 1, Hosts: 3, VMs: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer estate.Close()
	// A collector logs in at estate.URL(), with estate.Username() and
	// estate.Password(), and trusts estate.CAFile().

	traffic := estate.Site.Traffic()
	for _, s := range traffic.Senders() {
		fmt.Println("sends:", s.Name, s.Network)
	}
	// traffic.Play sends it over sockets; a test may also read it at once:
	lines := 0
	for range traffic.Records() {
		lines++
	}
	truth := traffic.Truth()
	fmt.Println("all lines counted:", lines == truth.Records)
	for _, s := range truth.Stories {
		fmt.Println(s.ID, s.Analytic)
	}
	// Output:
	// sends: esx01.lab.example udp
	// sends: esx02.lab.example tcp
	// sends: esx03.lab.example tcp
	// sends: vc1.lab.example tcp
	// sends: dns01.lab.example udp
	// sends: edge01.lab.example udp
	// all lines counted: true
	// beacon egress.unjustified
	// upload egress.unjustified
	// late-backup egress.unjustified
	// duplicate-address egress.unjustified
	// firewall-opened esxi.httpclient_opened
	// host-fetch egress.unjustified
	// loss host.loss
	// ssh-brute-force 8f44de32-5816-44e2-ab3a-400318c48b38
	// api-from-outside vpxd.external_api
	// stolen-account vpxd.new_triple
	// guest-program vpxd.guest_ops
	// bulk-power-off vpxd.bulk
	// vmotion egress.unjustified
	// egress-dead-drop egress.unjustified
	// egress-graph egress.unjustified
	// egress-web-hook egress.unjustified
	// egress-bot egress.unjustified
	// egress-raw-fetch egress.unjustified
}
