package behavior

import (
	"math"
	"math/bits"
)

// code16 is a number up to 2^30 in two bytes: 12 bits of it and a power of two.
// It is off by at most 4 below 2^15, above by at most one in 8,000, and orders
// as the numbers do.
type code16 uint16

const (
	mantissaBits = 12
	unitBits     = 3 // what is below 8 is rounded away
	greatest16   = (1<<(mantissaBits+1) - 1) << (1<<(16-mantissaBits) - 2 + unitBits)
)

// encode16 rounds n to the nearest code; what is too great is the greatest.
func encode16(n uint64) code16 {
	if n >= greatest16 {
		return math.MaxUint16
	}
	shift := max(bits.Len64(n)-mantissaBits-1, unitBits)
	n += 1 << (shift - 1)
	shift = max(bits.Len64(n)-mantissaBits-1, unitBits) // a carry may have made it longer
	if n >>= shift; n < 1<<mantissaBits {
		return code16(n)
	}
	return code16(uint64(shift-unitBits+1)<<mantissaBits | n&(1<<mantissaBits-1))
}

func (c code16) decode() uint64 {
	n, exponent := uint64(c&(1<<mantissaBits-1)), c>>mantissaBits
	if exponent > 0 {
		n = (n | 1<<mantissaBits) << (exponent - 1)
	}
	return n << unitBits
}
