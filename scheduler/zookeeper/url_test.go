package zookeeper

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	for _, c := range []struct {
		url  string
		want URL
	}{
		{"zk://h1:2182,h2/mesos", URL{[]string{"h1:2182", "h2:2181"}, "/mesos", "", nil}},
		{"zk://h/a/b/", URL{[]string{"h:2181"}, "/a/b", "", nil}},
		{"zk://h", URL{[]string{"h:2181"}, "/", "", nil}},
		{"zk://u:p@h:1/m", URL{[]string{"h:1"}, "/m", "u:p", nil}},
		{"zk://u:p@x:y@h:1/m", URL{[]string{"h:1"}, "/m", "u:p@x:y", nil}},
		{"zk://[fd00::1]:2181,[fd00::2]/m", URL{[]string{"[fd00::1]:2181", "[fd00::2]:2181"}, "/m", "", nil}},
	} {
		got, err := ParseURL(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s:\n%s", c.url, diff)
		}
	}
	for _, bad := range []string{"", "http://h/m", "zk://", "zk:///m", "zk://h:0/m", "zk://h:x/m", "zk://a:b:c/m",
		"zk://h,/m", "zk://hunter2@h/m", "zk://h/a//b", "zk://u:hunter2@h:99999/m"} {
		_, err := ParseURL(bad)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
