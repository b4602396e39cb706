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
