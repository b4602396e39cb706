package mesos

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// RecordReader takes the records out of a RecordIO stream, the framing of Mesos's event streams: the length of a record
// in bytes as a decimal number, a newline, and the record. Records may arrive in any number of pieces. One goroutine
// may use it.
type RecordReader struct {
	in      *bufio.Reader
	longest int64
	current record
}

// record is what is left of the record that is being read.
type record struct {
	in   *bufio.Reader
	left int64
}

// maxLengthDigits is as many digits as a length has at most: those of the largest int64 that fits whole.
const maxLengthDigits = 18

// ErrRecordLength means that a stream is not RecordIO, or that a record is longer than the reader allows. The stream
// is of no use any more.
var ErrRecordLength = errors.New("bad record length")

// NewRecordReader reads records of at most longest bytes each. That is a limit on what a broken stream can make the
// reader wait for: it holds a few kilobytes, whatever the records' length.
func NewRecordReader(r io.Reader, longest int64) *RecordReader {
	return &RecordReader{in: bufio.NewReaderSize(r, 32<<10), longest: longest}
}

// Next returns the next record, valid until Next is called again, which skips what was not read of it. The error is
// io.EOF where the stream ends between two records, io.ErrUnexpectedEOF where it ends within one, and ErrRecordLength.
// Reading a record that the stream's end cuts short gives io.ErrUnexpectedEOF.
func (r *RecordReader) Next() (io.Reader, error) {
	if _, err := io.Copy(io.Discard, &r.current); err != nil {
		return nil, err
	}
	length, err := r.length()
	if err != nil {
		return nil, err
	}
	r.current = record{in: r.in, left: length}
	return &r.current, nil
}

// length reads a record's length and the newline after it.
func (r *RecordReader) length() (int64, error) {
	var n int64
	for digits := 0; ; digits++ {
		c, err := r.in.ReadByte()
		switch {
		case err == io.EOF && digits > 0:
			return 0, io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		case c == '\n' && digits > 0:
			if n > r.longest {
				return 0, fmt.Errorf("%w: a record of %d bytes, more than %d", ErrRecordLength, n, r.longest)
			}
			return n, nil
		case c < '0' || c > '9':
			return 0, fmt.Errorf("%w: %q where a digit is due", ErrRecordLength, c)
		case digits == maxLengthDigits:
			return 0, fmt.Errorf("%w: more than %d digits", ErrRecordLength, maxLengthDigits)
		}
		n = 10*n + int64(c-'0')
	}
}

// Read implements io.Reader.
func (r *record) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.in.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	if err == io.EOF && r.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
