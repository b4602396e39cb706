package main

// effective returns Mesos-DNS's options as they are in force, for its /v1/config: marshalled as JSON the value has the
// member names, the order and the forms that Mesos-DNS gives them, with secrets redacted. Keys of rollcall's own are
// not among them. The serial is the one that the zone has now.
func (c *config) effective(serial uint32) mesosDNSOptions {
	o := c.options
	o.SOASerial = serial
	o.File = c.File
	return o
}

// keys returns what every key of the file means by now, defaults included, for people who look into a running rollcall.
// Marshalled as JSON it has no secrets; values have the form that the program uses (times in nanoseconds).
func (c *config) keys() map[string]any {
	out := map[string]any{}
	for _, k := range configKeys() {
		if parts := k.parts(c); len(parts) > 0 {
			out[k.name] = parts[0]
		}
	}
	out["mesosCredentials"] = map[string]secret{"principal": secret(c.Mesos.Credentials.Principal), "secret": c.Mesos.Credentials.Secret}
	return out
}
