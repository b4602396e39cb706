package resolver

import (
	"encoding/binary"
	"strings"

	"github.com/miekg/dns"
)

// extendedError says why an answer is not what was hoped for (RFC 8914). The zero value says nothing.
type extendedError struct {
	code uint16
	text string // for whoever reads it; clients do not
}

// maxErrorText is how many octets of a text are sent: the reply may have to fit into 512.
const maxErrorText = 120

// sent is as much of the text as is sent, which has to be UTF-8 (RFC 8914, section 2).
func (e extendedError) sent() string {
	return strings.ToValidUTF8(e.text[:min(len(e.text), maxErrorText)], "")
}

// optionHeader is the size of an EDNS option without its data.
const optionHeader = 4

// option is the EDNS option in wire format, nil for the zero value.
func (e extendedError) option() []byte {
	if e == (extendedError{}) {
		return nil
	}
	text := e.sent()
	out := binary.BigEndian.AppendUint16(nil, dns.EDNS0EDE)
	out = binary.BigEndian.AppendUint16(out, uint16(2+len(text)))
	out = binary.BigEndian.AppendUint16(out, e.code)
	return append(out, text...)
}

// explain has the reply to a query say why, if the client speaks EDNS.
func (q *query) explain(e extendedError) {
	if q.opt == nil || e == (extendedError{}) {
		return
	}
	q.options = append(q.options, &dns.EDNS0_EDE{InfoCode: e.code, ExtraText: e.sent()})
}

// Of questions that are not answered, or not yet.
var (
	notAuthoritative = extendedError{code: dns.ExtendedErrorCodeNotAuthoritative} // RFC 8914, section 4.21
	zoneNotReady     = extendedError{dns.ExtendedErrorCodeNotReady, "not all names are known yet"}
)

// Of answers that are past their time.
var (
	staleAnswer   = extendedError{code: dns.ExtendedErrorCodeStaleAnswer}
	staleNXDOMAIN = extendedError{code: dns.ExtendedErrorCodeStaleNXDOMAINAnswer}

	staleAnswerOption   = staleAnswer.option()
	staleNXDOMAINOption = staleNXDOMAIN.option()
)

// stale says that the answer is past its time.
func (k *kept) stale() (extendedError, []byte) {
	if k.rcode() == dns.RcodeNameError {
		return staleNXDOMAIN, staleNXDOMAINOption
	}
	return staleAnswer, staleAnswerOption
}
