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

// respondList answers an object whose one member is a list. It holds one item at a time.
func respondList[T any](w http.ResponseWriter, r *http.Request, name string, items iter.Seq[T]) error {
	l := &listWriter{w: w, r: r}
	var item bytes.Buffer
	e := json.NewEncoder(&item)
	e.SetEscapeHTML(false)
	between := `{"` + name + `":[`
	for v := range items {
		item.Reset()
		item.WriteString(between)
		if err := e.Encode(v); err != nil {
			return err
		}
		if _, err := l.Write(bytes.TrimSuffix(item.Bytes(), []byte("\n"))); err != nil {
			return err
		}
		between = ","
	}
	if between != "," {
		if _, err := io.WriteString(l, between); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(l, "]}"); err != nil {
		return err
	}
	return l.end()
}
