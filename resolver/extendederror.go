package resolver

// extendedError says why an answer is not what was hoped for (RFC 8914). The zero value says nothing.
type extendedError struct {
	code uint16
	text string // for whoever reads it; clients do not
}
