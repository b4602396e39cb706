package resolver

import "math/rand/v2"

// rotation chooses with which record of a set an answer starts, so that clients who take the first one spread over all
// of them. It goes round by the golden ratio: in any few answers in a row, and also in every second or third of them
// (clients ask for A and AAAA in turn), the starts are spread evenly.
type rotation uint32

const goldenRatio = 0x9E3779B9 // of 1<<32

// newRotation starts somewhere, since a client may use a connection for one question only.
func newRotation() rotation { return rotation(rand.Uint32()) }

// next is the rotation of the next answer.
func (r rotation) next() rotation { return r + goldenRatio }

// start is the record of n with which the answer starts.
func (r rotation) start(n int) int { return int(uint64(r) * uint64(n) >> 32) }
