package api

import "rollcall/scheduler"

// ReadRoot reads the root group as a PUT of /v2/groups would on a server with these options, and returns what makes a
// draft have it. It accepts every form of definition that the API does. Errors are *Error and tell all problems found,
// each with its path in the document; those of the returned function too.
func ReadRoot(document []byte, o Options) (change func(*scheduler.Draft) error, err error) {
	v, err := parseJSON(document)
	if err != nil {
		return nil, err
	}
	settings, rd := o.appSettings(), &reader{}
	var in *groupInput
	if root, ok := rd.object(v, ""); ok {
		in = readGroup(root, scheduler.Root, settings)
	}
	if err := rd.err(); err != nil {
		return nil, err
	}
	return func(d *scheduler.Draft) error { return in.apply(d, settings) }, nil
}
