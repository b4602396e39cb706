package resolver

import "rollcall/records"

// round are the plain questions among packets that came together. Looking all of them up at once takes far less time
// than one after the other: see records.Snapshot.LookupAll. A round is used again and again, by one goroutine.
type round struct {
	questions []plain
	packets   [][]byte
	names     [][]byte
	nodes     []*records.Node
	text      []byte // of the names
	tally     tally  // of the replies
}

// newRound makes a round for at most n packets.
func newRound(n int) *round {
	return &round{
		questions: make([]plain, 0, n), packets: make([][]byte, 0, n), names: make([][]byte, 0, n),
		nodes: make([]*records.Node, n), text: make([]byte, 0, n*maxName), tally: newTally(),
	}
}

// reset empties the round.
func (r *round) reset() {
	r.questions, r.packets, r.names, r.text = r.questions[:0], r.packets[:0], r.names[:0], r.text[:0]
}

// add adds a packet, which stays the caller's and has to stay as it is, or reports that it is no plain question.
func (r *round) add(h *handler, packet []byte, from client) bool {
	p, ok := h.readPlain(packet, r.text, from)
	if !ok {
		return false
	}
	r.text = r.text[:len(r.text)+len(p.name)]
	r.questions, r.packets, r.names = append(r.questions, p), append(r.packets, packet), append(r.names, p.name)
	return true
}

// lookup looks all names up.
func (r *round) lookup(s *records.Snapshot) { s.LookupAll(r.names, r.nodes[:len(r.names)]) }
