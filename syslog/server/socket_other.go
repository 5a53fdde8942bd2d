//go:build !linux || 386 || s390x

package server

import "net"

// growReceiveBuffer asks for size bytes of receive buffer. What was granted
// cannot be told here.
func growReceiveBuffer(conn *net.UDPConn, size int) (int, error) {
	return size, conn.SetReadBuffer(size)
}

// kernelDrops is not known here.
func kernelDrops(*net.UDPConn) (uint64, bool) { return 0, false }
