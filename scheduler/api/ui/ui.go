// Package ui is rollcall's web page: static files that use the same API as everybody else.
//
// There is no build step: the files in static are what the browser gets. The page loads nothing from elsewhere and
// keeps nothing in the browser.
package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var files embed.FS

// policy lets the page load and call what comes from its own server, and nothing else (CSP Level 3).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Handler serves the page below /ui/. It answers GET and HEAD.
func Handler() http.Handler {
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic("internal error: the embedded files of the web page: " + err.Error())
	}
	tag := `"` + digest(static) + `"`
	server := http.StripPrefix("/ui/", http.FileServerFS(static))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		// Browsers keep the files, but ask each time whether they are still those of this version.
		h.Set("Cache-Control", "no-cache")
		h.Del("Pragma")
		h.Del("Expires")
		h.Set("ETag", tag)
		if strings.HasSuffix(r.URL.Path, ".js") { // whatever the machine's MIME types say
			h.Set("Content-Type", "text/javascript; charset=utf-8")
		}
		server.ServeHTTP(w, r)
	})
}

// digest tells one version of the files from another.
func digest(static fs.FS) string {
	sum := sha256.New()
	err := fs.WalkDir(static, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(static, name)
		sum.Write([]byte(path.Base(name) + "\x00"))
		sum.Write(data)
		return err
	})
	if err != nil {
		panic("internal error: the embedded files of the web page: " + err.Error())
	}
	return hex.EncodeToString(sum.Sum(nil)[:12])
}
