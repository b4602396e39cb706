package api

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMergePatch is the table of RFC 7396, appendix A.
func TestMergePatch(t *testing.T) {
	for _, test := range []struct{ original, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		var original, kept, patch, want any
		for _, v := range []struct {
			text string
			into *any
		}{{test.original, &original}, {test.original, &kept}, {test.patch, &patch}, {test.want, &want}} {
			if err := json.Unmarshal([]byte(v.text), v.into); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, mergePatch(original, patch)); diff != "" {
			t.Errorf("%s with %s (-want +got):\n%s", test.original, test.patch, diff)
		}
		if diff := cmp.Diff(kept, original); diff != "" {
			t.Errorf("%s with %s changed the original:\n%s", test.original, test.patch, diff)
		}
	}
}
