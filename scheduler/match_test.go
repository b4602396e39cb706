package scheduler

import (
	"slices"
	"testing"
	"time"
)

// Which offers an app may use, and what of them, and why it refuses others, in the order of Marathon reference 12.4.
func TestOffersThatAppsMayUse(t *testing.T) {
	role := func(name string, accepted ...string) func(*App) {
		return func(a *App) { a.Role, a.AcceptedResourceRoles = name, accepted }
	}
	port := func(number int) func(*App) {
		return func(a *App) {
			a.RequirePorts, a.PortDefinitions = true, []PortDefinition{{Port: number, Protocol: "tcp"}}
		}
	}
	nowhere := func(a *App) { a.Constraints = []Constraint{{"rack", Is, "none"}} }
	small := Resources{CPUs: 0.05, Mem: 8, Ports: PortRange{{1000, 1001}}}
	large := Resources{CPUs: 1, Mem: 64, Ports: PortRange{{2000, 2001}}}
	now := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		name     string
		change   func(*App)
		offer    Offer
		reasons  []Reason
		reserved Resources // what the task takes of them
	}{
		{"no roles", nil, Offer{Resources: large}, nil, Resources{}},
		{"its role", role("dev"), Offer{Role: "dev", Resources: large}, nil, Resources{}},
		{"another role", role("*"), Offer{Role: "dev", Resources: large}, []Reason{UnfulfilledRole}, Resources{}},
		{"reserved ones first", role("dev"), Offer{Role: "dev", Resources: large, Reserved: small}, nil,
			Resources{CPUs: 0.05, Mem: 8}},
		{"both are needed", func(a *App) { a.Role, a.CPUs = "dev", 1.05 }, Offer{Role: "dev", Resources: large, Reserved: small}, nil,
			Resources{CPUs: 0.05, Mem: 8}},
		{"even both are too little", func(a *App) { a.Role, a.CPUs = "dev", 1.06 }, Offer{Role: "dev", Resources: large, Reserved: small},
			[]Reason{InsufficientCpus}, Resources{}},
		{"only what is nobody's", role("dev", "*"), Offer{Role: "dev", Resources: small, Reserved: large},
			[]Reason{InsufficientCpus, InsufficientMemory}, Resources{}},
		{"only what is reserved", role("dev", "dev"), Offer{Role: "dev", Resources: small, Reserved: large}, nil, Resources{CPUs: 0.1, Mem: 16}},
		{"only what is reserved, and nothing is", role("dev", "dev"), Offer{Role: "dev", Resources: large},
			[]Reason{InsufficientCpus, InsufficientMemory}, Resources{}},
		{"reserved, where there are no roles", role("dev", "dev"), Offer{Resources: large}, []Reason{UnfulfilledRole}, Resources{}},
		{"another region", nil, Offer{Resources: large, Region: "us", Remote: true}, []Reason{UnfulfilledConstraint}, Resources{}},
		{"another region that is asked for", func(a *App) { a.Constraints = []Constraint{{"@region", Is, "us"}} },
			Offer{Resources: large, Region: "us", Remote: true}, nil, Resources{}},
		{"less disk", func(a *App) { a.Disk = 65 }, Offer{Resources: Resources{CPUs: 1, Mem: 64, Disk: 64}}, []Reason{InsufficientDisk}, Resources{}},
		{"fewer gpus", func(a *App) { a.GPUs = 2 }, Offer{Resources: Resources{CPUs: 1, Mem: 64, GPUs: 1}}, []Reason{InsufficientGpus}, Resources{}},
		{"its port is taken", port(2000), Offer{Resources: Resources{CPUs: 1, Mem: 64, Ports: PortRange{{2001, 2002}}}}, []Reason{InsufficientPorts}, Resources{}},
		{"no container engine", func(a *App) { a.Container = &Container{Docker: &Docker{Image: "web"}} },
			Offer{Resources: large, NoContainers: "down"}, []Reason{ContainerEngineUnavailable}, Resources{}},
		{"all that there may be, in this order", func(a *App) { role("dev")(a); port(1)(a); nowhere(a); a.CPUs, a.Mem, a.Disk, a.GPUs = 9, 9, 9, 9 },
			Offer{Maintenance: &Period{Start: now}, NoContainers: "down"},
			[]Reason{UnfulfilledConstraint, AgentMaintenance, InsufficientCpus, InsufficientMemory, InsufficientDisk, InsufficientGpus}, Resources{}},
		{"a role before all else", func(a *App) { nowhere(a); a.CPUs = 9 }, Offer{Role: "dev"}, []Reason{UnfulfilledRole}, Resources{}},
		{"ports when all else does", func(a *App) { port(1)(a); a.Container = &Container{Docker: &Docker{Image: "web"}} },
			Offer{Resources: large, NoContainers: "down"}, []Reason{InsufficientPorts}, Resources{}},
		{"under maintenance", nil, Offer{Resources: large, Maintenance: &Period{now, now.Add(time.Second)}}, []Reason{AgentMaintenance}, Resources{}},
		{"under maintenance for ever", nil, Offer{Resources: large, Maintenance: &Period{Start: now}}, []Reason{AgentMaintenance}, Resources{}},
		{"maintenance later", nil, Offer{Resources: large, Maintenance: &Period{Start: now.Add(time.Second)}}, nil, Resources{}},
		{"maintenance is over", nil, Offer{Resources: large, Maintenance: &Period{now.Add(-time.Hour), now}}, nil, Resources{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := app("/a", 1)
			a.PortDefinitions = nil
			if c.change != nil {
				c.change(a)
			}
			core := NewCore(DefaultLimits(), NewState(), [32]byte{})
			w := core.begin(now)
			matchers := []*matcher{}
			for _, k := range a.Constraints {
				matchers = append(matchers, newMatcher(k, 1))
			}
			if got, _ := w.refuse(a, a.Ports(), matchers, &c.offer); !slices.Equal(got.reasons, c.reasons) {
				t.Fatalf("refused for %v, not %v", got.reasons, c.reasons)
			}
			if c.reasons != nil {
				return
			}
			before := c.offer.Resources.plus(c.offer.Reserved)
			unreserved, reserved := c.offer.take(a, Resources{CPUs: a.CPUs, Mem: a.Mem})
			if reserved.CPUs != c.reserved.CPUs || reserved.Mem != c.reserved.Mem {
				t.Errorf("takes %+v of what is reserved, not %+v", reserved, c.reserved)
			}
			left := c.offer.Resources.plus(c.offer.Reserved).plus(unreserved).plus(reserved)
			if left.CPUs < before.CPUs-slack || left.CPUs > before.CPUs+slack || left.Mem != before.Mem {
				t.Errorf("of %+v is left %+v", before, c.offer)
			}
		})
	}
}

func TestPortsAreTakenOutOfWhatIsReservedToo(t *testing.T) {
	o := Offer{Role: "dev", Resources: Resources{Ports: PortRange{{2000, 2005}}}, Reserved: Resources{Ports: PortRange{{1000, 1001}}}}
	a := app("/a", 1)
	a.Role = "dev"
	unreserved, reserved := o.take(a, Resources{Ports: PortRange{{1001, 1001}, {2003, 2003}}})
	for name, got := range map[string]string{
		"[1001-1001]": reserved.Ports.String(), "[2003-2003]": unreserved.Ports.String(), "[1000-1000]": o.Reserved.Ports.String(),
		"[2000-2002, 2004-2005]": o.Resources.Ports.String(),
	} {
		if got != name {
			t.Errorf("%s, not %s", got, name)
		}
	}
}
