package inventory_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// asVCenter makes this test binary a simulated vCenter of that many VMs, in a
// process of its own: what it costs is not the inventory's.
const asVCenter = "VEGRESS_TEST_VCENTER"

// serveVCenter prints its URL and the file with its certificate, and serves
// until standard input ends.
func serveVCenter(vms string) error {
	n, err := strconv.Atoi(vms)
	if err != nil {
		return err
	}
	m := simulator.VPX()
	if err := m.Create(); err != nil {
		return err
	}
	defer m.Remove()
	multiply(m, n)
	m.Service.TLS = new(tls.Config)
	m.Service.Listen = &url.URL{Host: "127.0.0.1:0", User: url.UserPassword(user, password)}
	s := m.Service.NewServer()
	ca, err := s.CertificateFile()
	if err != nil {
		return err
	}
	fmt.Println("https://"+s.URL.Host+"/sdk", ca)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// multiply brings the model to n VMs by copies of one: to create them takes
// minutes.
func multiply(m *simulator.Model, n int) {
	of := m.Map().Any("VirtualMachine").(*simulator.VirtualMachine)
	folder := m.Map().Get(*of.Parent).(*simulator.Folder)
	for i := len(m.Map().All("VirtualMachine")); i < n; i++ {
		vm := *of
		vm.Self.Value = fmt.Sprintf("vm-%d", 100_000+i)
		vm.Name = fmt.Sprintf("app-%05d", i)
		config, guest := *of.Config, *of.Guest
		config.Name, config.InstanceUuid, config.Uuid = vm.Name, uuid(i), uuid(n+i)
		guest.HostName = vm.Name + ".corp.example"
		guest.Net = []types.GuestNicInfo{{DeviceConfigId: 4000, MacAddress: mac(i), IpAddress: []string{ip(i).String()}}}
		vm.Config, vm.Guest = &config, &guest
		m.Map().Put(&vm)
		folder.ChildEntity = append(folder.ChildEntity, vm.Self)
	}
}
