package resolver

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// FuzzOptions: whatever is in an OPT record, the answer is the one that there is without its options, or says what is wrong
// with the record, the version or a cookie.
func FuzzOptions(f *testing.F) {
	h := newTestHandler(f, newTestZone(f), func(o *Options) { o.ServerID = "dns-a" })
	for _, data := range []string{"", "\x00\x03\x00\x00", "\x00\x0a\x00\x08\x01\x02\x03\x04\x05\x06\x07\x08", "\x00\x13\x00\x00\x00\x09\x00\x00",
		"\x00\x08\x00\x01\x00", "\x00\x0b\x00\x01\x00", "\x00\x64\x00\x05\x00"} {
		f.Add([]byte(data), uint32(0), uint16(1232), true)
		f.Add([]byte(data), uint32(1<<16|1<<15), uint16(0), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, ttl uint32, size uint16, udp bool) {
		if len(data) > maxTCPSize-100 {
			return
		}
		packet, err := newQuestion(t, "web.marathon.mesos. A").Pack()
		if err != nil {
			t.Fatal(err)
		}
		packet[11] = 1
		packet = binary.BigEndian.AppendUint16(append(packet, 0, 0, byte(dns.TypeOPT)), size)
		packet = binary.BigEndian.AppendUint32(packet, ttl)
		packet = append(binary.BigEndian.AppendUint16(packet, uint16(len(data))), data...)
		from := testClient(udp)
		wire, pending := h.handle(nil, packet, from, 0)
		if pending != nil || wire == nil {
			t.Fatal("it is not answered")
		}
		got := unpack(t, wire)
		sound := true
		for rest := data; len(rest) > 0 && sound; {
			if sound = len(rest) >= optionHeader && len(rest)-optionHeader >= int(binary.BigEndian.Uint16(rest[2:])); sound {
				rest = rest[optionHeader+int(binary.BigEndian.Uint16(rest[2:])):]
			}
		}
		version := byte(ttl >> 16)
		switch {
		case !sound:
			if got.Rcode != dns.RcodeFormatError {
				t.Fatalf("broken options are answered\n%v", got)
			}
			return
		case version != 0:
			if got.Rcode != dns.RcodeBadVers {
				t.Fatalf("version %d is answered\n%v", version, got)
			}
		case got.Rcode == dns.RcodeSuccess:
			if len(got.Answer) != 3 {
				t.Fatalf("%v", got)
			}
		case got.Rcode != dns.RcodeFormatError || !strings.Contains(string(data), "\x00\x0a"):
			t.Fatalf("%v", got)
		}
		if opt := got.IsEdns0(); opt == nil || opt.Version() != 0 || opt.Do() != (ttl&(1<<15) != 0) || opt.Z() != 0 {
			t.Fatalf("the OPT record %v", opt)
		}
		if udp && len(wire) > max(int(size), minUDPSize) {
			t.Fatalf("%d octets for a client that takes %d", len(wire), size)
		}
	})
}

// FuzzTSIG: who does not have the key is not taken for somebody who has, whatever is in the TSIG record.
func FuzzTSIG(f *testing.F) {
	h := newTestHandler(f, newTestZone(f), func(o *Options) { o.Transfer.Keys = []Key{testKey} })
	f.Add([]byte("\x0bhmac-sha256\x00"), []byte{0, 0, 0x60, 0, 0, 0, 1, 44, 0, 32}, make([]byte, 32), uint16(255), uint32(0))
	f.Add([]byte("\x0bhmac-sha256\x00"), []byte{0, 0, 0x60, 0, 0, 0, 1, 44, 0, 0}, []byte{0, 7, 0, 0, 0, 0}, uint16(255), uint32(0))
	f.Add([]byte("\x00"), []byte{}, []byte{}, uint16(1), uint32(1))
	f.Fuzz(func(t *testing.T, algorithm, fixed, rest []byte, class uint16, ttl uint32) {
		length := len(algorithm) + len(fixed) + len(rest)
		if length > maxTCPSize-100 {
			return
		}
		packet, err := new(dns.Msg).SetAxfr("mesos.").Pack()
		if err != nil {
			t.Fatal(err)
		}
		packet[11] = 1
		packet = append(packet, "\x09transfers\x00\x00\xfa"...)
		packet = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(packet, class), ttl)
		packet = binary.BigEndian.AppendUint16(packet, uint16(length))
		packet = append(append(append(packet, algorithm...), fixed...), rest...)
		wire, pending := h.handle(nil, packet, testClient(false), 0)
		if pending != nil {
			t.Fatal("the zone is given away")
		}
		if got := unpack(t, wire); got.Rcode != dns.RcodeNotAuth && got.Rcode != dns.RcodeFormatError {
			t.Fatalf("%v", got)
		}
	})
}

// FuzzAPI: whatever is asked of the HTTP API, it answers, and with JSON where it says so.
func FuzzAPI(f *testing.F) {
	zone := newAPIZone(f)
	h := newTestAPI(f, zone, true)
	for _, path := range []string{"/v1/version", "/v1/config", "/v1/hosts/nginx.marathon.mesos", "/v1/hosts/%00", "/v1/services/_nginx._tcp.marathon.mesos.",
		"/v1/enumerate", "/v1/axfr", "/v1/ready", "/v1/hosts/a/b", "/v1/hosts/" + strings.Repeat("a", 300), "//v1/hosts/..", "/"} {
		f.Add("GET", path)
		f.Add("POST", path)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		target, err := url.ParseRequestURI(path)
		if err != nil || method != "GET" && method != "POST" && method != "HEAD" && method != "OPTIONS" {
			return
		}
		r := &http.Request{Method: method, URL: target, Host: "mesos", Header: http.Header{}, Body: http.NoBody, RemoteAddr: "192.0.2.1:1", RequestURI: path}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 && !strings.HasSuffix(target.Path, "/ready") {
			t.Fatalf("%d: %s", w.Code, w.Body)
		}
		if w.Code == http.StatusOK && method == "GET" && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !json.Valid(w.Body.Bytes()) {
			t.Fatalf("this is not JSON: %s", w.Body)
		}
	})
}
