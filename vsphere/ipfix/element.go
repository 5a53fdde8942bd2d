package ipfix

// element is what a field of a record is, as far as it is read here.
type element uint8

// The elements. Numbers are IANA's (https://www.iana.org/assignments/ipfix);
// NetFlow has the same for what both know.
const (
	other element = iota // read by nobody; it is in the raw record

	srcIP
	dstIP
	srcPort
	dstPort
	protocol
	tcpFlags
	tos
	ttl
	icmpType
	icmpCode
	icmpBoth // type * 256 + code
	srcMAC
	dstMAC
	postSrcMAC
	postDstMAC

	octets
	packets
	octetsTotal
	packetsTotal
	reverseOctets
	reversePackets

	startSeconds
	endSeconds
	startMillis
	endMillis
	startMicros
	endMicros
	startNanos
	endNanos
	startDelta
	endDelta
	startUptime
	endUptime
	bootMillis

	ingress
	egress
	segment
	direction
	endReason
	flowID
	firewallEvent

	// VMware, distributed switch.
	tenantProtocol
	tenantSrc
	tenantDst
	tenantSrcPort
	tenantDstPort
	ingressAttr
	egressAttr
	exportRole

	// VMware, NSX firewall.
	ruleID
	vmUUID
	vnicIndex
	sessionFlags
	firewallDirection
	algType
	averageLatency
	retransmissions
	vifUUID
	vifID

	elementEnd
)

// Private enterprise numbers.
const (
	penVMware  = 6876
	penReverse = 29305 // the other direction of a biflow: RFC 5103
)

func elementOf(pen uint32, id uint16) element {
	switch pen {
	case 0:
		return standard[id]
	case penVMware:
		return vmware[id]
	case penReverse:
		return reverse[id]
	}
	return other
}

var standard = map[uint16]element{
	1: octets, 2: packets, 4: protocol, 5: tos, 6: tcpFlags, 7: srcPort, 8: srcIP, 10: ingress, 11: dstPort, 12: dstIP,
	14: egress, 21: endUptime, 22: startUptime, 27: srcIP, 28: dstIP, 32: icmpBoth, 53: ttl,
	56: srcMAC, 80: dstMAC, 81: postSrcMAC, 57: postDstMAC, 61: direction,
	85: octetsTotal, 86: packetsTotal, 136: endReason, 139: icmpBoth, 148: flowID,
	150: startSeconds, 151: endSeconds, 152: startMillis, 153: endMillis, 154: startMicros, 155: endMicros,
	156: startNanos, 157: endNanos, 158: startDelta, 159: endDelta, 160: bootMillis,
	176: icmpType, 177: icmpCode, 178: icmpType, 179: icmpCode,
	231: octets, 232: reverseOctets, 298: packets, 299: reversePackets, 233: firewallEvent, 351: segment,
}

// vmware are the elements of the Distributed Switch (880-890) and of the NSX
// firewall (950-961), as VMware's documentation has them.
var vmware = map[uint16]element{
	880: tenantProtocol, 881: tenantSrc, 882: tenantDst, 883: tenantSrc, 884: tenantDst, 886: tenantSrcPort, 887: tenantDstPort,
	888: egressAttr, 889: exportRole, 890: ingressAttr,
	950: ruleID, 951: vmUUID, 952: vnicIndex, 953: sessionFlags, 954: firewallDirection, 956: algType,
	958: averageLatency, 959: retransmissions, 960: vifUUID, 961: vifID,
}

var reverse = map[uint16]element{1: reverseOctets, 2: reversePackets}
