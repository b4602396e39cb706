package client

// Lookup is what rollcall's DNS server answers to a client.
type Lookup struct {
	Server string   `json:"server"` // host:port
	Name   string   `json:"name"`
	Type   string   `json:"type"`
	Status string   `json:"status"`
	Answer []Record `json:"answer"`
}

// Record is a resource record in presentation format.
type Record struct {
	Name string `json:"name"`
	TTL  uint32 `json:"ttl"` // seconds
	Type string `json:"type"`
	Data string `json:"data"`
}

// Agent is a machine that runs tasks.
type Agent struct {
	ID         string            `json:"id"`
	Hostname   string            `json:"hostname"`
	Address    string            `json:"address"`
	Attributes map[string]string `json:"attributes"`
	Tasks      int               `json:"tasks"`
	Used       Resources         `json:"used"`  // by tasks of the scheduler that is asked
	Total      *Resources        `json:"total"` // nil: not known
}

// Resources are an amount of an agent's resources.
type Resources struct {
	CPUs float64 `json:"cpus"`
	Mem  float64 `json:"mem"`  // MiB
	Disk float64 `json:"disk"` // MiB
}
