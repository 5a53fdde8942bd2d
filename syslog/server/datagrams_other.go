//go:build !linux || 386 || s390x

package server

import (
	"net"
	"net/netip"
)

// datagrams reads a UDP socket, one datagram at a time.
type datagrams struct {
	conn   *net.UDPConn
	memory [maxDatagram]byte
	length int
	peer   netip.AddrPort
}

func newDatagrams(conn *net.UDPConn) (*datagrams, error) { return &datagrams{conn: conn}, nil }

// read waits for a datagram, or for the socket's read deadline.
func (d *datagrams) read() (n int, err error) {
	d.length, d.peer, err = d.conn.ReadFromUDPAddrPort(d.memory[:])
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// at gives the datagram of the last read, valid until the next, and who sent
// it.
func (d *datagrams) at(int) (content []byte, peer netip.AddrPort) {
	return d.memory[:d.length], netip.AddrPortFrom(d.peer.Addr().Unmap(), d.peer.Port())
}
