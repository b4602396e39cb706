package api

import (
	"errors"
	"net/http"
	"time"

	"rollcall/scheduler"
)

// The notices of readers of the event stream; their bodies are StreamChanges.
const (
	NoticeStreamAttached = "event_stream_attached"
	NoticeStreamDetached = "event_stream_detached"
)

// StreamChange is the body of event_stream_attached and event_stream_detached.
type StreamChange struct {
	RemoteAddress string `json:"remoteAddress"`
}

const (
	// heartbeat is how often a quiet stream shows that it lives; Marathon's.
	heartbeat = 10 * time.Second
	// writeWithin is how long a reader may keep a write waiting before it is cut off.
	writeWithin = 30 * time.Second
)

// missedComment begins a stream that could not go on where its reader left off. Clients skip comments, those who look
// at the bytes see it.
const missedComment = ": events since the given Last-Event-ID were lost; read the state again\r\n\r\n"

// streamEvents answers GET /v2/events: the notices as server-sent events, until the client goes or is too slow.
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request) error {
	if accept := r.Header.Get("Accept"); accept != "" && !accepts(accept, "text/event-stream") {
		return &Error{Status: http.StatusNotAcceptable,
			Message: "The event stream is text/event-stream; it cannot be had as " + accept}
	}
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return nil
	}
	wanted := map[string]bool{}
	for _, kind := range a.query(r, "event_type") {
		wanted[kind] = true
	}
	s := &stream{w: w, control: http.NewResponseController(w), wanted: wanted, full: a.word(r, "plan-format") == "full",
		reader: userOf(r)}
	defer a.o.Events.join()()
	attached := a.notifyStream(NoticeStreamAttached, r)
	defer a.notifyStream(NoticeStreamDetached, r)

	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	var missed bool
	s.next, missed = a.o.Events.after(r.Header.Get("Last-Event-ID"), attached)
	var first []byte
	if missed {
		first = []byte(missedComment)
	}
	if err := s.write(first); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		b := a.o.Events.read(s.next)
		switch {
		case b.lost:
			a.o.Logger.Warn("a reader of the event stream is too slow and was cut off", "client", r.RemoteAddr)
			return nil
		case len(b.entries) > 0:
			if err := s.send(b.entries); err != nil {
				return err
			}
			continue
		case b.closed:
			return nil
		}
		select {
		case <-b.changed:
		case <-beat.C:
			if err := s.write([]byte("\r\n")); err != nil {
				return err
			}
		case <-r.Context().Done():
			return nil
		}
	}
}

// notifyStream returns the number of the notice.
func (a *API) notifyStream(kind string, r *http.Request) uint64 {
	return a.o.Events.publish(scheduler.Notice{Type: kind, Timestamp: scheduler.TimestampOf(a.o.Now()),
		Body: StreamChange{clientIP(r)}})
}

// stream is one reader of the event stream.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	wanted  map[string]bool // types of events; empty: all of Marathon's
	full    bool            // plans with what they change
	reader  *User
	next    uint64
}

// send writes the entries that are wanted.
func (s *stream) send(entries []*entry) error {
	var data []byte
	for _, e := range entries {
		if !s.wants(e.notice) || !s.reader.hears(e.notice) {
			continue
		}
		if s.full {
			data = append(data, e.full()...)
		} else {
			data = append(data, e.light()...)
		}
	}
	s.next += uint64(len(entries))
	if len(data) == 0 {
		return nil
	}
	return s.write(data)
}

// wants says whether a notice is of a type that was asked for. Those that Marathon does not have have to be asked for.
func (s *stream) wants(n scheduler.Notice) bool {
	return s.wanted[n.Type] || len(s.wanted) == 0 && !scheduler.OwnNotice(n.Type)
}

// write sends data, or just the header, at once.
func (s *stream) write(data []byte) error {
	if err := giveTime(s.w, len(data)); err != nil {
		return err
	}
	if _, err := s.w.Write(data); err != nil {
		return &clientGone{err}
	}
	if err := s.control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return &clientGone{err}
	}
	return nil
}
