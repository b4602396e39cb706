package scheduler

import (
	"fmt"
	"time"
)

// Timestamp is a moment in milliseconds since 1970 (UTC): Marathon's resolution, and what app versions are.
// Zero means absent.
type Timestamp int64

// TimestampOf cuts t to milliseconds; the zero time gives the zero Timestamp.
func TimestampOf(t time.Time) Timestamp {
	if t.IsZero() {
		return 0
	}
	return Timestamp(t.UnixMilli())
}

// Time returns the moment in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

// String is Marathon's form, always with three decimals and Z: 2015-04-17T04:00:14.171Z.
func (t Timestamp) String() string { return string(t.append(nil)) }

func (t Timestamp) append(to []byte) []byte {
	at := t.Time()
	to = at.AppendFormat(to, time.RFC3339) // which is a form that package time is quick at
	ms := at.Nanosecond() / int(time.Millisecond)
	return append(to[:len(to)-len("Z")], '.', '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10), 'Z')
}

// MarshalText implements encoding.TextMarshaler with String.
func (t Timestamp) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler with ParseTimestamp.
func (t *Timestamp) UnmarshalText(text []byte) (err error) {
	*t, err = ParseTimestamp(string(text))
	return err
}

// timestampLayouts are the ISO-8601 forms that Marathon reads; a fraction is accepted by time.Parse after any seconds.
var timestampLayouts = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z0700"}

// ParseTimestamp reads an ISO-8601 date-time with an offset; the seconds may be missing.
func ParseTimestamp(s string) (Timestamp, error) {
	for _, layout := range timestampLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return TimestampOf(t), nil
		}
	}
	return 0, fmt.Errorf("Invalid timestamp provided '%s'. Expecting ISO-8601 datetime string.", s)
}
