package api

import (
	"net/http"
	"slices"
	"strings"
)

// allowOrigin lets pages of the sites in AllowOrigin read what is answered, as Marathon's access_control_allow_origin
// does: read, not change. A browser takes one site or *, so that of several only the one that asks is named.
func (a *API) allowOrigin(h http.Header, r *http.Request) {
	if len(a.o.AllowOrigin) == 0 {
		return
	}
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	switch {
	case slices.Contains(a.o.AllowOrigin, "*"):
		h.Set("Access-Control-Allow-Origin", "*")
	case slices.Contains(a.o.AllowOrigin, origin):
		h.Set("Access-Control-Allow-Origin", origin)
	default:
		return
	}
	if wanted := r.Header.Values("Access-Control-Request-Headers"); len(wanted) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(wanted, ", "))
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
	h.Set("Access-Control-Max-Age", "86400")
}
