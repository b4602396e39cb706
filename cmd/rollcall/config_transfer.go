package main

import (
	"encoding/base64"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"rollcall/resolver"
)

// transferConfig says who may have the zones as a whole, and who is told of changes.
type transferConfig struct {
	Secondaries []secondaryConfig
	Allow       []netip.Prefix
	Keys        []keyConfig
}

type secondaryConfig struct {
	Address netip.AddrPort
	Key     string // name of one of the keys; "": none
}

type keyConfig struct {
	Name      string
	Algorithm string
	Secret    secret // base64
}

// isOn says whether anybody may.
func (t *transferConfig) isOn() bool { return len(t.Secondaries)+len(t.Allow)+len(t.Keys) > 0 }

// apply sets the DNS server's part of this.
func (t *transferConfig) apply(o *resolver.Options) {
	o.Transfer = resolver.Transfer{Allow: t.Allow}
	for _, s := range t.Secondaries {
		o.Transfer.Secondaries = append(o.Transfer.Secondaries, resolver.Secondary{Addr: s.Address, Key: s.Key})
	}
	for _, k := range t.Keys {
		octets, err := base64.StdEncoding.DecodeString(string(k.Secret))
		if err == nil { // as it was when the file was read
			o.Transfer.Keys = append(o.Transfer.Keys, resolver.Key{Name: k.Name, Algorithm: k.Algorithm, Secret: octets})
		}
	}
}

func (t *transferConfig) fields() []field {
	return []field{
		{name: "secondaries", set: objects(&t.Secondaries, "a list of secondaries", (*secondaryConfig).fields)},
		{name: "allow", set: networks(&t.Allow)},
		{name: "keys", set: objects(&t.Keys, "a list of keys", (*keyConfig).fields)},
	}
}

func (s *secondaryConfig) fields() []field {
	return []field{
		{name: "address", set: func(n node) string {
			addr, err := parseResolver(n.value.text)
			if n.value.kind != jsonString || err != nil {
				return "an IP address, with or without a port, such as \"192.0.2.1\" or \"[2001:db8::1]:5353\""
			}
			s.Address = addr
			return ""
		}},
		{name: "key", set: text(&s.Key)},
	}
}

func (k *keyConfig) fields() []field {
	return []field{
		{name: "name", set: textThat(&k.Name, "a domain name", func(s string) bool {
			_, ok := dns.IsDomainName(s)
			return ok && s != ""
		})},
		{name: "algorithm", set: oneOf(&k.Algorithm, resolver.KeyAlgorithms()...)},
		{name: "secret", secret: true, set: textThat(&k.Secret, "text in base64, and not empty", func(s string) bool {
			octets, err := base64.StdEncoding.DecodeString(s)
			return err == nil && len(octets) > 0
		})},
	}
}

// objects takes a list of objects whose keys are read strictly.
func objects[T any](dst *[]T, allowed string, fields func(*T) []field) func(node) string {
	return func(n node) string {
		if n.value.kind != jsonList {
			return allowed
		}
		*dst = make([]T, len(n.value.items))
		for i, item := range n.items() {
			item.readStrict(fields(&(*dst)[i]))
		}
		return ""
	}
}

// read takes the object "transfer".
func (t *transferConfig) read(n node) string {
	if n.value.kind != jsonObject {
		return "an object with secondaries, allow and keys"
	}
	n.readStrict(t.fields())
	names := make([]string, len(t.Keys))
	for i := range t.Keys {
		k, path := &t.Keys[i], indexed(n.path+".keys", i)
		if k.Algorithm == "" {
			k.Algorithm = "hmac-sha256"
		}
		names[i] = dns.CanonicalName(k.Name)
		switch {
		case n.report.blames(path):
		case k.Name == "" || k.Secret == "":
			n.report.problem(path, "a key has to have name and secret")
		case slices.Index(names, names[i]) < i:
			n.report.problem(path+".name", "%s is the name of a key before it", quoteBrief(k.Name))
		}
	}
	for i, s := range t.Secondaries {
		path := indexed(n.path+".secondaries", i)
		switch {
		case n.report.blames(path):
		case !s.Address.IsValid():
			n.report.problem(path, "a secondary has to have an address")
		case s.Key != "" && !slices.Contains(names, dns.CanonicalName(s.Key)) && !n.report.blames(n.path+".keys"):
			n.report.problem(path+".key", "%s is not the name of one of the keys (%s)", quoteBrief(s.Key), strings.Join(names, ", "))
		}
	}
	return ""
}
