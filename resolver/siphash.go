package resolver

import (
	"encoding/binary"
	"math/bits"
)

// sipHash24 is SipHash-2-4 (J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012): a keyed hash of
// 64 bits, which nobody can make or foresee without the key. The result is in the order in which it is written to the
// wire.
func sipHash24(key [16]byte, data []byte) [8]byte {
	k0, k1 := binary.LittleEndian.Uint64(key[:8]), binary.LittleEndian.Uint64(key[8:])
	v0, v1 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d
	v2, v3 := k0^0x6c7967656e657261, k1^0x7465646279746573
	rounds := func(n int) {
		for range n {
			v0 += v1
			v1 = bits.RotateLeft64(v1, 13) ^ v0
			v0 = bits.RotateLeft64(v0, 32)
			v2 += v3
			v3 = bits.RotateLeft64(v3, 16) ^ v2
			v0 += v3
			v3 = bits.RotateLeft64(v3, 21) ^ v0
			v2 += v1
			v1 = bits.RotateLeft64(v1, 17) ^ v2
			v2 = bits.RotateLeft64(v2, 32)
		}
	}
	compress := func(word uint64) {
		v3 ^= word
		rounds(2)
		v0 ^= word
	}
	last := uint64(len(data)) << 56
	for len(data) >= 8 {
		compress(binary.LittleEndian.Uint64(data))
		data = data[8:]
	}
	for i, octet := range data {
		last |= uint64(octet) << (8 * i)
	}
	compress(last)
	v2 ^= 0xff
	rounds(4)
	var sum [8]byte
	binary.LittleEndian.PutUint64(sum[:], v0^v1^v2^v3)
	return sum
}
