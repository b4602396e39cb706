package mesos

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// readRecords reads a stream to its end.
func readRecords(in io.Reader, longest int64) ([]string, error) {
	r := NewRecordReader(in, longest)
	var out []string
	for {
		record, err := r.Next()
		if err != nil {
			return out, err
		}
		data, err := io.ReadAll(record)
		if err != nil {
			return out, err
		}
		out = append(out, string(data))
	}
}

func TestRecordReader(t *testing.T) {
	for _, c := range []struct {
		name, stream string
		records      []string
		err          error
	}{
		{"nothing", "", nil, io.EOF},
		{"two records", "5\nhello3\nyou", []string{"hello", "you"}, io.EOF},
		{"a newline in a record", "3\na\nb1\nc", []string{"a\nb", "c"}, io.EOF},
		{"an empty record", "0\n1\nx", []string{"", "x"}, io.EOF},
		{"leading zeros", "0002\nab", []string{"ab"}, io.EOF},
		{"the longest that is allowed", "8\n12345678", []string{"12345678"}, io.EOF},
		{"one that is too long", "9\n123456789", nil, ErrRecordLength},
		{"a length without end", "1111111111111111111111\n", nil, ErrRecordLength},
		{"no length", "\nab", nil, ErrRecordLength},
		{"a negative length", "-1\nab", nil, ErrRecordLength},
		{"a page of HTML", "<html>\n", nil, ErrRecordLength},
		{"a blank in the length", "1 \na", nil, ErrRecordLength},
		{"an end within a length", "1\na2", []string{"a"}, io.ErrUnexpectedEOF},
		{"an end after a length", "1\na2\n", []string{"a"}, io.ErrUnexpectedEOF},
		{"an end within a record", "1\na4\nbcd", []string{"a"}, io.ErrUnexpectedEOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			for name, cut := range map[string]func(io.Reader) io.Reader{
				"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
				"with its error": iotest.DataErrReader,
			} {
				got, err := readRecords(cut(strings.NewReader(c.stream)), 8)
				if !slices.Equal(got, c.records) || !errors.Is(err, c.err) {
					t.Errorf("%s: %q, %v; want %q, %v", name, got, err, c.records, c.err)
				}
			}
		})
	}
}

func TestRecordReaderSkipsWhatWasNotRead(t *testing.T) {
	r := NewRecordReader(strings.NewReader("5\nhello3\nyou"), 8)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	second, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(second); string(got) != "you" {
		t.Errorf("the second record is %q", got)
	}
}

func TestRecordReaderGivesTheErrorOfTheConnection(t *testing.T) {
	broken := errors.New("connection reset")
	_, err := readRecords(io.MultiReader(strings.NewReader("1\na5\nb"), iotest.ErrReader(broken)), 8)
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// Whatever the records are and wherever the stream is cut, the same records come out.
func TestRecordsSurviveAnyCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOf(rapid.StringN(-1, -1, 100)).Draw(t, "records")
		var stream bytes.Buffer
		for _, r := range records {
			stream.WriteString(strconv.Itoa(len(r)) + "\n" + r)
		}
		var pieces []io.Reader
		for stream.Len() > 0 {
			piece := stream.Next(rapid.IntRange(1, 40).Draw(t, "piece"))
			pieces = append(pieces, bytes.NewReader(bytes.Clone(piece)))
		}
		got, err := readRecords(io.MultiReader(pieces...), 1000)
		if err != io.EOF || !slices.Equal(got, records) {
			t.Fatalf("%q, %v; want %q", got, err, records)
		}
	})
}

// Any bytes give records that are in them, and an error; what was read as records, written again, reads the same.
func FuzzRecordReader(f *testing.F) {
	f.Add([]byte("20\n{\"type\":\"HEARTBEAT\"}3\nabc"))
	f.Add([]byte("0\n0\n-1\n"))
	f.Add([]byte("99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		records, err := readRecords(bytes.NewReader(stream), 1<<10)
		if err == nil {
			t.Fatal("the stream never ends")
		}
		var again bytes.Buffer
		for _, r := range records {
			if len(r) > 1<<10 {
				t.Fatalf("a record of %d bytes", len(r))
			}
			again.WriteString(strconv.Itoa(len(r)) + "\n" + r)
		}
		if again.Len() > len(stream) {
			t.Fatalf("%d bytes of records in a stream of %d", again.Len(), len(stream))
		}
		if got, err := readRecords(&again, 1<<10); err != io.EOF || !slices.Equal(got, records) {
			t.Fatalf("again: %q, %v; want %q", got, err, records)
		}
	})
}
