package simulator

import (
	"context"
	"fmt"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"
)

// Move lets the vCenter move vm to a host of its Site, as a vMotion does, and
// waits for it. The plan stays as it is: a Traffic tells of the host before.
func (e *Estate) Move(ctx context.Context, vm *VM, to *Host) error {
	c, err := e.client(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = c.Logout(context.WithoutCancel(ctx)) }()
	refs, err := refsByName(ctx, c.Client)
	if err != nil {
		return err
	}
	host := refs[to.Name]
	task, err := object.NewVirtualMachine(c.Client, refs[vm.Name]).Relocate(ctx,
		types.VirtualMachineRelocateSpec{Host: &host}, types.VirtualMachineMovePriorityDefaultPriority)
	if err == nil {
		err = task.Wait(ctx)
	}
	if err != nil {
		return fmt.Errorf("move VM %s to host %s: %w", vm.Name, to.Name, err)
	}
	return nil
}
