package resolver

import (
	"net/http"
	"strconv"
	"strings"

	"rollcall/records"
)

type serviceEntry struct {
	Service string `json:"service"`
	Host    string `json:"host"`
	IP      string `json:"ip"`
	Port    string `json:"port"`
}

// services lists a name's SRV records, each with one IPv4 and one IPv6 address of its target, as far as there are. A
// name that has none gives one empty entry.
func (a *api) services(w http.ResponseWriter, given string) {
	snapshot := a.zone.Snapshot()
	rotation := newRotation()
	var out []serviceEntry
	if node := snapshot.LookupListed(apiName(given)); node != nil {
		all := node.SRVListed()
		n := len(all)
		for i := range n {
			srv := all[(rotation.start(n)+i)%n]
			target := snapshot.LookupListed(srv.Target)
			if target == nil || strings.Contains(srv.Target, ":") { // where Mesos-DNS takes the port to begin
				continue
			}
			for _, t := range [...]uint16{records.TypeA, records.TypeAAAA} {
				if addrs := target.RRset(t); setLen(addrs) > 0 {
					out = append(out, serviceEntry{Service: given, Host: srv.Target,
						IP: addrs.Addrs()[rotation.start(addrs.Len())].String(), Port: strconv.Itoa(srv.Port)})
				}
			}
		}
	}
	if out == nil {
		out = []serviceEntry{{}}
	}
	writeJSON(w, out)
}

// enumeration is the body of /v1/enumerate. Lists without elements are null there, but for those of tasks.
type enumeration struct {
	Frameworks []enumeratedFramework `json:"frameworks"`
}

type enumeratedFramework struct {
	Tasks []enumeratedTask `json:"tasks"`
	Name  string           `json:"name"`
}

type enumeratedTask struct {
	Name    string             `json:"name"`
	ID      string             `json:"id"`
	Records []enumeratedRecord `json:"records"`
}

type enumeratedRecord struct {
	Name string `json:"name"`
	Host string `json:"host"`
	Type string `json:"rtype"`
}

func (a *api) enumerate(w http.ResponseWriter) {
	var out enumeration
	for _, f := range a.zone.Enumerate() {
		framework := enumeratedFramework{Name: f.Name, Tasks: []enumeratedTask{}}
		for _, t := range f.Tasks {
			task := enumeratedTask{Name: t.Name, ID: t.ID}
			for _, r := range t.Records {
				task.Records = append(task.Records, enumeratedRecord(r))
			}
			framework.Tasks = append(framework.Tasks, task)
		}
		out.Frameworks = append(out.Frameworks, framework)
	}
	writeJSON(w, out)
}

// transfer is the body of /v1/axfr.
type transfer struct {
	TTL            uint32
	Serial         uint32
	RefreshSeconds int
	Mname          string
	Rname          string
	Domain         string
	Records        transferRecords
}

// transferRecords have names as keys, and addresses or "target.:port" as values.
type transferRecords struct {
	As    map[string][]string
	AAAAs map[string][]string
	SRVs  map[string][]string
}

func (a *api) axfr(w http.ResponseWriter) {
	s := a.zone.Snapshot()
	out := transfer{
		Serial:         s.Serial(),
		RefreshSeconds: a.options.RefreshSeconds,
		Domain:         s.Domain()[:len(s.Domain())-1],
		Records:        transferRecords{As: map[string][]string{}, AAAAs: map[string][]string{}, SRVs: map[string][]string{}},
	}
	add := func(name string, node *records.Node) {
		for set := range node.RRsets() {
			switch set.Type {
			case records.TypeSOA:
				out.TTL, out.Mname, out.Rname = set.TTL(), set.SOA().MName, set.SOA().RName
			case records.TypeA:
				out.Records.As[name] = addresses(set)
			case records.TypeAAAA:
				out.Records.AAAAs[name] = addresses(set)
			case records.TypeSRV:
				for _, srv := range node.SRVListed() {
					out.Records.SRVs[name] = append(out.Records.SRVs[name], srv.Target+":"+strconv.Itoa(srv.Port))
				}
			}
		}
	}
	for name, node := range s.All() {
		add(name, node)
	}
	for name, node := range s.Listed() {
		add(name, node)
	}
	writeJSON(w, out)
}

// addresses are those of a set as text.
func addresses(set *records.RRset) []string {
	out := make([]string, 0, set.Len())
	for _, a := range set.Addrs() {
		out = append(out, a.String())
	}
	return out
}
