package mesos

import (
	"errors"
	"fmt"
	"testing"
)

func TestOutage(t *testing.T) {
	var o outage
	for i := range 3 {
		if got := o.news(fmt.Errorf("dial 10.0.0.1:%d: refused", i)); got != (i == 0) {
			t.Errorf("refused, time %d: %v", i, got)
		}
		if got := o.news(errors.New("status 500")); got != (i == 0) {
			t.Errorf("another problem, time %d: %v", i, got)
		}
	}
	o.over()
	if !o.news(errors.New("status 500")) {
		t.Error("the next outage is news")
	}
	told := 0
	for i := range 100 {
		if o.news(errors.New("problem " + string(rune('a'+i)))) {
			told++
		}
	}
	if told != problemsTold-1 {
		t.Errorf("%d problems were told of", told)
	}
}
