package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"iter"
	"net/http"
)

// streamFrom is the size from which an answer goes out while it is made. A shorter one has a Content-Length.
const streamFrom = 64 << 10

// listWriter writes an answer of status 200 as JSON: at once when it is short, else bit by bit, so that a list takes no
// more memory when it is long.
type listWriter struct {
	w    http.ResponseWriter
	r    *http.Request
	held []byte    // until the answer has begun
	out  io.Writer // nil until then
	zip  *gzip.Writer
	item bytes.Buffer // of value
	err  error        // the first of text and value
}

func (l *listWriter) Write(p []byte) (int, error) {
	if l.out == nil && len(l.held)+len(p) <= streamFrom {
		l.held = append(l.held, p...)
		return len(p), nil
	}
	if l.out == nil {
		if err := l.begin(); err != nil {
			return 0, err
		}
	}
	if err := giveTime(l.w, len(p)); err != nil {
		return 0, err
	}
	n, err := l.out.Write(p)
	if err != nil {
		return n, &clientGone{err}
	}
	return n, nil
}

func (l *listWriter) begin() error {
	h := l.w.Header()
	h.Set("Content-Type", "application/json")
	h.Add("Vary", "Accept-Encoding")
	l.out = l.w
	if accepts(l.r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		l.zip = gzip.NewWriter(l.w)
		l.out = l.zip
	}
	if err := giveTime(l.w, len(l.held)); err != nil {
		return err
	}
	l.w.WriteHeader(http.StatusOK)
	if l.r.Method == http.MethodHead {
		l.out, l.zip = io.Discard, nil
	}
	if _, err := l.out.Write(l.held); err != nil {
		return &clientGone{err}
	}
	l.held = nil
	return nil
}

func (l *listWriter) end() error {
	if l.err != nil {
		return l.err
	}
	if l.out == nil {
		return deliver(l.w, l.r, http.StatusOK, "application/json", l.held)
	}
	if l.zip != nil {
		if err := l.zip.Close(); err != nil {
			return &clientGone{err}
		}
	}
	return nil
}

// text writes a part of the answer that is JSON already. After a failure it does nothing: end tells of it.
func (l *listWriter) text(json string) {
	if l.err == nil {
		_, l.err = io.WriteString(l, json)
	}
}

// value writes a value as JSON, and a text before it.
func (l *listWriter) value(before string, v any) {
	if l.err != nil {
		return
	}
	l.item.Reset()
	l.item.WriteString(before)
	e := json.NewEncoder(&l.item)
	e.SetEscapeHTML(false)
	if l.err = e.Encode(v); l.err == nil {
		_, l.err = l.Write(bytes.TrimSuffix(l.item.Bytes(), []byte("\n")))
	}
}

// writeItems writes an array. It holds one item at a time.
func writeItems[T any](l *listWriter, items iter.Seq[T]) {
	before := "["
	for v := range items {
		if l.value(before, v); l.err != nil {
			return
		}
		before = ","
	}
	if before == "[" {
		l.text(before)
	}
	l.text("]")
}

// respondList answers an object whose one member is a list.
func respondList[T any](w http.ResponseWriter, r *http.Request, name string, items iter.Seq[T]) error {
	l := &listWriter{w: w, r: r}
	l.text(`{"` + name + `":`)
	writeItems(l, items)
	l.text("}")
	return l.end()
}

// respondArray answers a list.
func respondArray[T any](w http.ResponseWriter, r *http.Request, items iter.Seq[T]) error {
	l := &listWriter{w: w, r: r}
	writeItems(l, items)
	return l.end()
}
