package mesos

import "context"

// Detector says which masters there are.
type Detector interface {
	// Run calls found with the masters: soon after the start, and whenever they change, from one goroutine. It returns
	// when ctx ends; whatever else happens it goes on trying.
	Run(ctx context.Context, found func(Masters)) error
}

// Static is a list of masters that does not change, each "host:port". Which of them leads is found out by asking.
type Static []string

// Run implements Detector.
func (s Static) Run(ctx context.Context, found func(Masters)) error {
	found(Masters{All: s})
	<-ctx.Done()
	return nil
}
