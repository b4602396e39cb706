package mesosmaster

import (
	"net/http"
	"slices"
	"sync"
)

// stream is a stream of events to a subscriber. Events wait without a bound: the cluster's lock is held when they are
// sent.
type stream struct {
	id     string
	mu     sync.Mutex
	events [][]byte
	ready  chan struct{}
	ended  bool
	done   chan struct{} // closed when the response is over
}

func newStream() *stream {
	return &stream{id: newID(), ready: make(chan struct{}, 1), done: make(chan struct{})}
}

func (s *stream) send(event object) { s.put(framed(event)) }

// put sends an event that has been framed.
func (s *stream) put(data []byte) {
	s.mu.Lock()
	if !s.ended {
		s.events = append(s.events, data)
	}
	s.mu.Unlock()
	s.wake()
}

// begin puts an event before all others. It is called before serve.
func (s *stream) begin(event object) {
	data := framed(event)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = slices.Insert(s.events, 0, data)
}

// end ends the stream with a zero chunk, after what was sent.
func (s *stream) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.wake()
}

func (s *stream) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// serve writes the stream until it ends or its reader goes away.
func (s *stream) serve(w http.ResponseWriter, r *http.Request, cut int) {
	defer close(s.done)
	flush := func(data []byte) bool {
		if _, err := w.Write(data); err != nil {
			return false
		}
		w.(http.Flusher).Flush()
		return true
	}
	for {
		s.mu.Lock()
		events, ended := s.events, s.ended
		s.events = nil
		s.mu.Unlock()
		for _, e := range events {
			for cut > 0 && len(e) > cut {
				if !flush(e[:cut]) {
					return
				}
				e = e[cut:]
			}
			if !flush(e) {
				return
			}
		}
		if ended {
			return
		}
		select {
		case <-s.ready:
		case <-r.Context().Done():
			return
		}
	}
}
