//go:build !386 && !s390x

package server

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"
)

// datagrams reads a UDP socket with recvmmsg(2): up to MaxBatch datagrams for
// one call of the system, and no allocation for their addresses.
type datagrams struct {
	raw     syscall.RawConn
	receive func(fd uintptr) bool
	count   int
	errno   syscall.Errno

	heads  [MaxBatch]messageHead
	spans  [MaxBatch]syscall.Iovec
	peers  [MaxBatch]syscall.RawSockaddrInet6 // large enough for both families
	memory []byte
}

// messageHead is struct mmsghdr of recvmmsg(2). Where words have eight bytes,
// the compiler pads it as C does.
type messageHead struct {
	head   syscall.Msghdr
	length uint32
}

func newDatagrams(conn *net.UDPConn) (*datagrams, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	d := &datagrams{raw: raw, memory: make([]byte, MaxBatch*maxDatagram)} // touched only as far as datagrams are long
	for i := range d.heads {
		d.spans[i].Base = &d.memory[i*maxDatagram]
		d.spans[i].SetLen(maxDatagram)
		d.heads[i].head.Iov, d.heads[i].head.Iovlen = &d.spans[i], 1
		d.heads[i].head.Name = (*byte)(unsafe.Pointer(&d.peers[i]))
	}
	d.receive = d.tryReceive
	return d, nil
}

// read waits for datagrams, or for the socket's read deadline, and takes what
// there is.
func (d *datagrams) read() (n int, err error) {
	for i := range d.heads {
		d.heads[i].head.Namelen = syscall.SizeofSockaddrInet6
	}
	if err := d.raw.Read(d.receive); err != nil {
		return 0, err
	}
	if d.errno != 0 {
		return 0, d.errno
	}
	return d.count, nil
}

// tryReceive says false when there is nothing to read yet.
func (d *datagrams) tryReceive(fd uintptr) bool {
	for {
		n, _, errno := syscall.Syscall6(syscall.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&d.heads[0])), MaxBatch, syscall.MSG_DONTWAIT, 0, 0)
		d.count, d.errno = int(n), errno
		switch errno {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		default:
			return true
		}
	}
}

// at gives datagram i of the last read, valid until the next, and who sent it.
func (d *datagrams) at(i int) (content []byte, peer netip.AddrPort) {
	at := i * maxDatagram
	return d.memory[at : at+int(d.heads[i].length)], peerOfDatagram(&d.peers[i])
}

// peerOfDatagram reads struct sockaddr_in or sockaddr_in6; ip(7), ipv6(7).
func peerOfDatagram(sa *syscall.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:])
	switch sa.Family {
	case syscall.AF_INET:
		v4 := (*syscall.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port)
	case syscall.AF_INET6:
		ip := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.Scope_id != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(sa.Scope_id), 10))
		}
		return netip.AddrPortFrom(ip, port)
	}
	return netip.AddrPort{}
}
