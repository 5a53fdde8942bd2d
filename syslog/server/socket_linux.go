//go:build !386 && !s390x

package server

import (
	"encoding/binary"
	"net"
	"syscall"
	"unsafe"
)

// growReceiveBuffer asks for size bytes of receive buffer, past
// net.core.rmem_max where the process may (CAP_NET_ADMIN), and returns what
// the kernel grants.
func growReceiveBuffer(conn *net.UDPConn, size int) (granted int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	cerr := raw.Control(func(fd uintptr) {
		if syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, size) != nil {
			_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, size)
		}
		granted, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
	})
	if cerr != nil {
		return 0, cerr
	}
	return granted / 2, err // the kernel doubles it, for its own bookkeeping: socket(7)
}

// SO_MEMINFO (Linux 4.12, asm-generic/socket.h) gives an array of numbers
// about a socket's memory (linux/sock_diag.h).
const (
	soMemInfo       = 55
	memInfoLength   = 9
	memInfoDropsAt  = 8 // SK_MEMINFO_DROPS
	sizeOfMemNumber = 4
)

// kernelDrops reads the socket's own drop counter.
func kernelDrops(conn *net.UDPConn) (uint64, bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	var info [memInfoLength * sizeOfMemNumber]byte
	size, errno := uint32(len(info)), syscall.Errno(0)
	cerr := raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.SOL_SOCKET, soMemInfo,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if cerr != nil || errno != 0 || int(size) < len(info) {
		return 0, false
	}
	return uint64(binary.NativeEndian.Uint32(info[memInfoDropsAt*sizeOfMemNumber:])), true
}
