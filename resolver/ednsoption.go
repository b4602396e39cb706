package resolver

import (
	"bytes"
	"encoding/binary"

	"github.com/miekg/dns"
)

// ednsOption is an option of an OPT record (RFC 6891, section 6.1.2).
type ednsOption struct {
	code uint16
	data []byte
}

// reservedOption is a code that no option has (RFC 6891, section 9).
const reservedOption = 65535

// receivedOPT is the OPT record of a message as it came. The DNS library reads what is in every option that it knows, and
// takes the whole message for broken when one of them is not as it should be; here an option that is of no use to us is
// none of our business (RFC 6891, section 6.1.2).
type receivedOPT struct {
	options []ednsOption
	codes   []int // where in the message their codes are
	version byte
	dnssec  byte // the DO bit, in its octet
}

// readOPT finds the OPT record of a message. nil: there is none, or more than one, or the message cannot be read.
func readOPT(packet []byte) *receivedOPT {
	at := headerLen
	for range binary.BigEndian.Uint16(packet[4:]) {
		if at = nameEnd(packet, at); at == 0 || at+questionLen > len(packet) {
			return nil
		}
		at += questionLen
	}
	before := int(binary.BigEndian.Uint16(packet[6:])) + int(binary.BigEndian.Uint16(packet[8:]))
	var found *receivedOPT
	for i := range before + int(binary.BigEndian.Uint16(packet[10:])) {
		owner := at
		if at = nameEnd(packet, at); at == 0 || at+10 > len(packet) {
			return nil
		}
		fixed := packet[at : at+10]
		at += 10
		end := at + int(binary.BigEndian.Uint16(fixed[8:]))
		if end > len(packet) {
			return nil
		}
		if i >= before && binary.BigEndian.Uint16(fixed) == dns.TypeOPT {
			if found != nil || packet[owner] != 0 {
				return nil
			}
			found = &receivedOPT{version: fixed[5], dnssec: fixed[6] & 0x80}
			if !found.read(packet, at, end) {
				return nil
			}
		}
		at = end
	}
	return found
}

// read takes the options between two places, or reports that they do not fill it.
func (o *receivedOPT) read(packet []byte, at, end int) bool {
	for at < end {
		if at+optionHeader > end {
			return false
		}
		data := at + optionHeader
		next := data + int(binary.BigEndian.Uint16(packet[at+2:]))
		if next > end {
			return false
		}
		o.options = append(o.options, ednsOption{binary.BigEndian.Uint16(packet[at:]), bytes.Clone(packet[data:next])})
		o.codes = append(o.codes, at)
		at = next
	}
	return true
}

// hidden is the message without anything in its options that the library would want to understand.
func (o *receivedOPT) hidden(packet []byte) []byte {
	if o == nil || len(o.codes) == 0 {
		return packet
	}
	out := bytes.Clone(packet)
	for _, at := range o.codes {
		binary.BigEndian.PutUint16(out[at:], reservedOption)
	}
	return out
}

// nameEnd is where a name ends that starts at a place in a message, 0 if it does not.
func nameEnd(packet []byte, at int) int {
	for at < len(packet) {
		switch length := int(packet[at]); {
		case length == 0:
			return at + 1
		case length >= pointer>>8:
			return at + 2 // the second octet may be missing: whoever goes on from here looks
		case length > maxLabel:
			return 0
		default:
			at += 1 + length
		}
	}
	return 0
}
