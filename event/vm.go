package event

// AppendJSON appends all that is known of vm as a JSON object: what stands in
// the enrichments of a finding, and in the inventory's bucket.
func (vm *VM) AppendJSON(dst []byte) []byte {
	c := Context{VM: vm}
	return closeObject(c.appendVM(append(dst, '{'), true))
}
