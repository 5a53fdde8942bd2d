package vsphere_test

import (
	"testing"

	"github.com/vegress/vegress/vsphere"
)

func TestWorldOf(t *testing.T) {
	for text, want := range map[string]string{
		"Cmd(0x45b9) 0x85, CmdSN 0x1 from world 1171425 to dev \"naa.60a9\" failed": "1171425",
		"Backtrace for current CPU #1, worldID=65936, fp=0x430410ce87c0":            "65936",
		"World 736629 waited 23.596 seconds to leave low memory state":              "736629",
		"World ID set to 2127090":                            "2127090",
		"filter nic-36933-eth0-vmware-sfw.2 attached":        "36933",
		"the real world of 7 hosts; Creating for world 4242": "4242",
		"hello world":                          "",
		"world2 5":                             "",
		"nic-eth0":                             "",
		"nic-12-bond0 world":                   "",
		"world 123456789012345678901234567890": "",
		"":                                     "",
	} {
		if got := vsphere.WorldOf(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
