package main

// logConfig says what the log looks like and how much there is of it.
type logConfig struct {
	Format     string            // logText or logJSON
	Level      string            // debug, info, warn or error
	Components map[string]string // levels of single components; the others have Level
}

// Forms of the log.
const (
	logText = "text"
	logJSON = "json"
)

// Components of the program, as the log and its configuration name them.
const (
	logAPI       = "api"       // Marathon's REST API, and who may use it
	logElection  = "election"  // who leads
	logEngine    = "engine"    // what runs tasks
	logMesos     = "mesos"     // the Mesos cluster that is followed
	logResolver  = "resolver"  // DNS
	logScheduler = "scheduler" // apps, instances, deployments
	logStore     = "store"     // the file with the state
)

func logComponents() []string {
	return []string{logAPI, logElection, logEngine, logMesos, logResolver, logScheduler, logStore}
}

func defaultLog() logConfig { return logConfig{Format: logText, Level: "info"} }

// levelOf is the level of a component.
func (l *logConfig) levelOf(component string) string {
	if level, ok := l.Components[component]; ok {
		return level
	}
	return l.Level
}

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
		{name: "level", set: logLevel(&l.Level)},
		{name: "components", set: l.readComponents},
	}
}

func (l *logConfig) readComponents(n node) string {
	if n.value.kind != jsonObject {
		return "an object"
	}
	levels := map[string]string{}
	var fields []field
	for _, name := range logComponents() {
		fields = append(fields, field{name: name, set: func(n node) string {
			var level string
			allowed := logLevel(&level)(n)
			if allowed == "" {
				levels[name] = level
			}
			return allowed
		}})
	}
	n.readStrict(fields)
	if len(levels) > 0 {
		l.Components = levels
	}
	return ""
}

func logLevel(dst *string) func(node) string { return oneOf(dst, "debug", "info", "warn", "error") }
