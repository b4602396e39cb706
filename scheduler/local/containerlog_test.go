package local

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
)

// frames is a stream as Docker sends it, of messages "1 10:00 text": stream, time stamp, text.
func frames(messages ...string) []byte {
	var out []byte
	for _, m := range messages {
		rest := m[2:] + "\n"
		out = append(out, m[0]-'0', 0, 0, 0)
		out = binary.BigEndian.AppendUint32(out, uint32(len(rest)))
		out = append(out, rest...)
	}
	return out
}

// A log that is read again from its last time stamp on is neither written twice nor with gaps.
func TestContainerLogResumes(t *testing.T) {
	var stdout, stderr strings.Builder
	l := &containerLog{stdout: &stdout, stderr: &stderr}
	first := frames("1 10:00 a", "1 10:01 b", "2 10:01 c", "1 10:01 d")
	if err := l.copy(bytes.NewReader(first[:len(first)-3])); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error is %v", err)
	}
	if l.at != "10:01" {
		t.Errorf("it is at %q", l.at)
	}
	if err := l.copy(bytes.NewReader(frames("1 10:01 b", "2 10:01 c", "1 10:01 d", "1 10:02 "))); err != nil {
		t.Error(err)
	}
	if stdout.String() != "a\nb\nd\n\n" || stderr.String() != "c\n" {
		t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
	}
}

func FuzzContainerLog(f *testing.F) {
	f.Add(frames("1 10:00 a", "2 10:00 b"))
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		var out bytes.Buffer
		l := &containerLog{stdout: &out, stderr: &out}
		_ = l.copy(bytes.NewReader(data))
		if out.Len() > len(data) {
			t.Error("more came out than went in")
		}
	})
}
