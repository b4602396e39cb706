package main

import (
	"bytes"
	"io"
	"sync"
)

// recentMost bounds the octets of the log that are kept.
const recentMost = 256 << 10

// recentLog keeps the end of what is written to it, for whoever asks what happened before. Its zero value is ready.
type recentLog struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer. It takes whole lines.
func (r *recentLog) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.text)+len(line) > 2*recentMost {
		r.text = append(r.text[:0], r.end()...)
	}
	r.text = append(r.text, line...)
	return len(line), nil
}

// end is the last recentMost octets, from the beginning of a line on. It is called with the lock held.
func (r *recentLog) end() []byte {
	if len(r.text) <= recentMost {
		return r.text
	}
	end := r.text[len(r.text)-recentMost:]
	return end[bytes.IndexByte(end, '\n')+1:]
}

// WriteTo implements io.WriterTo.
func (r *recentLog) WriteTo(w io.Writer) (int64, error) {
	r.mu.Lock()
	text := bytes.Clone(r.end())
	r.mu.Unlock()
	n, err := w.Write(text)
	return int64(n), err
}
