package mesos

import "strings"

// problemsTold is how many different problems of one outage are told of. An outage has few causes; what differs each
// time is no news.
const problemsTold = 10

// outage remembers which problems were told of since all was well. The zero value has begun with nothing told.
type outage struct{ told map[string]bool }

// news reports whether a problem is to be told of: the first time that it occurs. Numbers make no difference, as they
// are those of ports, octets and seconds.
func (o *outage) news(err error) bool {
	kind := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, err.Error())
	if o.told[kind] || len(o.told) == problemsTold {
		return false
	}
	if o.told == nil {
		o.told = make(map[string]bool)
	}
	o.told[kind] = true
	return true
}

// over says that all is well again.
func (o *outage) over() { o.told = nil }
