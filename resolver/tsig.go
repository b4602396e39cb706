package resolver

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/miekg/dns"
)

// Key is a secret that two servers share, to know each other's messages (TSIG, RFC 8945).
type Key struct {
	// Name is the same on both sides; it goes over the wire. A domain name, with or without the dot at the end.
	Name string
	// Algorithm is one of KeyAlgorithms.
	Algorithm string
	Secret    []byte
}

// KeyAlgorithms are those that keys may have (RFC 8945, section 6), without those that are not to be used any more.
func KeyAlgorithms() []string {
	return []string{"hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"}
}

// hashes are the hash functions of the algorithms.
var hashes = map[string]func() hash.Hash{"hmac-sha1": sha1.New, "hmac-sha224": sha256.New224, "hmac-sha256": sha256.New,
	"hmac-sha384": sha512.New384, "hmac-sha512": sha512.New}

// macSize is how many octets the MACs of a key have.
func (k Key) macSize() int {
	if hash, known := hashes[k.Algorithm]; known {
		return hash().Size()
	}
	return 0
}

func (k Key) validate() error {
	if _, ok := dns.IsDomainName(k.Name); !ok || k.Name == "" {
		return fmt.Errorf("the key's name %q is not a domain name", k.Name)
	}
	if k.macSize() == 0 {
		return fmt.Errorf("the algorithm of the key %q is %q, which is none of %v", k.Name, k.Algorithm, KeyAlgorithms())
	}
	if len(k.Secret) == 0 {
		return fmt.Errorf("the key %q has no secret", k.Name)
	}
	return nil
}

// secret is the key's as the DNS library takes it.
func (k Key) secret() string { return base64.StdEncoding.EncodeToString(k.Secret) }

// fudge is how many seconds clocks may differ (RFC 8945, section 10).
const fudge = 300

// keyring are keys by name, in lower case and with a dot at the end.
type keyring map[string]Key

func newKeyring(keys []Key) keyring {
	ring := make(keyring, len(keys))
	for _, k := range keys {
		ring[dns.CanonicalName(k.Name)] = k
	}
	return ring
}

// signature is the TSIG record of a query and what came of it.
type signature struct {
	asked   *dns.TSIG
	key     Key
	err     uint16 // an error of RFC 8945, section 5.2; 0: it is good
	badSize bool   // the MAC has a size that none may have
}

// minMAC is how many octets of a MAC there have to be at least, besides half of it (RFC 8945, section 5.2.2.1).
const minMAC = 10

// macs makes and compares the MACs of a key for the DNS library.
type macs struct{ Key }

// Generate is the MAC of a message.
func (k macs) Generate(message []byte, _ *dns.TSIG) ([]byte, error) {
	mac := hmac.New(hashes[k.Algorithm], k.Secret)
	mac.Write(message)
	return mac.Sum(nil), nil
}

// Verify compares as much of a MAC as there is. Whether that is enough is not for it to say.
func (k macs) Verify(message []byte, t *dns.TSIG) error {
	whole, _ := k.Generate(message, t)
	mac, err := hex.DecodeString(t.MAC)
	if err != nil || len(mac) > len(whole) || !hmac.Equal(mac, whole[:len(mac)]) {
		return dns.ErrSig
	}
	return nil
}

// check verifies a query's signature, if it has one: the packet is the whole message.
func (ring keyring) check(q *query, packet []byte) *signature {
	asked := q.msg.IsTsig()
	if asked == nil {
		return nil
	}
	s := &signature{asked: asked}
	key, known := ring[dns.CanonicalName(asked.Hdr.Name)]
	if !known || dns.CanonicalName(asked.Algorithm) != key.Algorithm+"." {
		s.err = dns.RcodeBadKey
		return s
	}
	s.key = key
	size := int(asked.MACSize)
	if s.badSize = size > key.macSize() || size < max(minMAC, key.macSize()/2); s.badSize {
		return s
	}
	switch err := dns.TsigVerifyWithProvider(packet, macs{key}, "", false); {
	case errors.Is(err, dns.ErrTime):
		s.err = dns.RcodeBadTime
	case err != nil:
		s.err = dns.RcodeBadSig
	case size < key.macSize():
		s.err = dns.RcodeBadTrunc // part of a MAC is not enough here (RFC 8945, section 5.2.4)
	}
	return s
}

// record is the TSIG record of a reply, yet to be signed.
func (s *signature) record() *dns.TSIG {
	now := uint64(time.Now().Unix())
	t := &dns.TSIG{
		Hdr:       dns.RR_Header{Name: s.asked.Hdr.Name, Rrtype: dns.TypeTSIG, Class: dns.ClassANY},
		Algorithm: s.asked.Algorithm, TimeSigned: now, Fudge: fudge, OrigId: s.asked.OrigId, Error: s.err,
	}
	if s.err == dns.RcodeBadTime { // with our time (RFC 8945, section 5.2.3)
		t.TimeSigned = s.asked.TimeSigned
		t.OtherLen, t.OtherData = 6, fmt.Sprintf("%012x", now)
	}
	return t
}

// len is how many octets the record of a reply takes.
func (s *signature) len() int {
	return dns.Len(s.record()) + s.key.macSize()
}

// sign packs a reply with a TSIG record at its end. before is the MAC of the message before it, of those that answer
// one question; "" for the first. It returns the MAC of this one.
func (s *signature) sign(m *dns.Msg, before string) (wire []byte, mac string, err error) {
	m.Extra = append(m.Extra, s.record())
	switch {
	case s.err == dns.RcodeBadKey || s.err == dns.RcodeBadSig: // which is not signed (RFC 8945, section 5.3.2)
		wire, mac, err = dns.TsigGenerateWithProvider(m, macs{s.key}, "", false)
	case before == "":
		wire, mac, err = dns.TsigGenerateWithProvider(m, macs{s.key}, s.asked.MAC, false)
	default:
		wire, mac, err = dns.TsigGenerateWithProvider(m, macs{s.key}, before, true)
	}
	if err == nil {
		binary.BigEndian.PutUint16(wire, m.Id) // the library leaves the original ID there, which goes into the MAC
	}
	return wire, mac, err
}
