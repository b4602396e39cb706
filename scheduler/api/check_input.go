package api

import "rollcall/scheduler"

// decodeHealthChecks reads health checks over their defaults (Marathon reference 14.1).
func decodeHealthChecks(o *object) []scheduler.HealthCheck {
	objects, _ := o.objects("healthChecks")
	var out []scheduler.HealthCheck
	for _, h := range objects {
		c := scheduler.HealthCheck{GracePeriodSeconds: 300, IntervalSeconds: 60, TimeoutSeconds: 20,
			MaxConsecutiveFailures: 3, DelaySeconds: 15}
		protocol := string(scheduler.ProtocolHTTP)
		h.word("protocol", &protocol, string(scheduler.ProtocolHTTP), string(scheduler.ProtocolHTTPS),
			string(scheduler.ProtocolTCP), string(scheduler.ProtocolCommand), string(scheduler.ProtocolMesosHTTP),
			string(scheduler.ProtocolMesosHTTPS), string(scheduler.ProtocolMesosTCP))
		c.Protocol = scheduler.Protocol(protocol)
		h.text("path", &c.Path)
		h.optional("portIndex", &c.PortIndex, 0, maxPort)
		h.optional("port", &c.Port, 0, maxPort)
		if command, ok := h.object("command"); ok {
			c.Command = &scheduler.Command{}
			if !command.text("value", &c.Command.Value) && !command.has("value") {
				command.missing("value")
			}
			command.end()
		}
		h.integer("gracePeriodSeconds", &c.GracePeriodSeconds, 0, maxInteger)
		h.integer("intervalSeconds", &c.IntervalSeconds, 0, maxInteger)
		h.integer("timeoutSeconds", &c.TimeoutSeconds, 0, maxInteger)
		h.integer("maxConsecutiveFailures", &c.MaxConsecutiveFailures, 0, maxInteger)
		h.integer("delaySeconds", &c.DelaySeconds, 0, maxInteger)
		h.boolean("ignoreHttp1xx", &c.IgnoreHTTP1xx)
		if h.word("ipProtocol", &c.IPProtocol, "IPv4", "IPv6") && c.IPProtocol == "IPv4" {
			c.IPProtocol = "" // the default
		}
		h.end()
		out = append(out, c)
	}
	return out
}

// decodeReadinessChecks reads readiness checks over their defaults (Marathon reference 14.4).
func decodeReadinessChecks(o *object) []scheduler.ReadinessCheck {
	objects, _ := o.objects("readinessChecks")
	var out []scheduler.ReadinessCheck
	for _, h := range objects {
		c := scheduler.ReadinessCheck{Name: "readinessCheck", Path: "/", PortName: "http-api", IntervalSeconds: 30,
			TimeoutSeconds: 10, HTTPStatusCodesForReady: []int{200}}
		h.text("name", &c.Name)
		protocol := string(scheduler.ProtocolHTTP)
		h.word("protocol", &protocol, string(scheduler.ProtocolHTTP), string(scheduler.ProtocolHTTPS))
		c.Protocol = scheduler.Protocol(protocol)
		h.text("path", &c.Path)
		h.text("portName", &c.PortName)
		h.integer("intervalSeconds", &c.IntervalSeconds, 1, maxInteger)
		h.integer("timeoutSeconds", &c.TimeoutSeconds, 1, maxInteger)
		if codes, ok := h.elements("httpStatusCodesForReady"); ok && len(codes) > 0 {
			c.HTTPStatusCodesForReady = nil
			for _, code := range codes {
				if n, ok := h.r.integer(code.value, code.path, 100, 599); ok {
					c.HTTPStatusCodesForReady = append(c.HTTPStatusCodesForReady, n)
				}
			}
		}
		h.boolean("preserveLastResponse", &c.PreserveLastResponse)
		h.end()
		out = append(out, c)
	}
	return out
}
