package main

// logConfig says what the log looks like and how much there is of it.
type logConfig struct {
	Format string // logText or logJSON
	Level  string // debug, info, warn or error
}

// Forms of the log.
const (
	logText = "text"
	logJSON = "json"
)

func defaultLog() logConfig { return logConfig{Format: logText, Level: "info"} }

func (l *logConfig) read(n node) string {
	if n.value.kind != jsonObject {
		return "an object"
	}
	n.readStrict(l.fields())
	return ""
}

func (l *logConfig) fields() []field {
	return []field{
		{name: "format", set: oneOf(&l.Format, logText, logJSON)},
		{name: "level", set: oneOf(&l.Level, "debug", "info", "warn", "error")},
	}
}
