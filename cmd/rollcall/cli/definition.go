package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// definition is the JSON of an app or a group as somebody wrote it. Numbers are kept as they are written.
type definition map[string]any

func fileFlag(flags *flag.FlagSet) *string {
	return flags.String("f", "", "`FILE` of JSON with the definition; - is standard input")
}

// readJSON reads the file of the flag -f.
func (s *session) readJSON(file string) (any, error) {
	var data []byte
	var err error
	switch file {
	case "":
		return nil, &usageError{"-f FILE is missing", s.help}
	case "-":
		file = "standard input"
		data, err = io.ReadAll(s.in)
	default:
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the definition: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var v any
	err = decoder.Decode(&v)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("unexpected text after the definition")
		}
	}
	if err != nil {
		line, column := place(data, decoder.InputOffset(), err)
		return nil, fmt.Errorf("%s, line %d, column %d: not valid JSON: %w", file, line, column, err)
	}
	return v, nil
}

// place is where in a text a decoder stopped.
func place(data []byte, offset int64, err error) (line, column int) {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = syntax.Offset - 1
	}
	before := data[:min(int(offset), len(data))]
	return 1 + bytes.Count(before, []byte("\n")), len(before) - bytes.LastIndexByte(before, '\n')
}

// readApps reads one app or a list of apps.
func (s *session) readApps(file string) ([]definition, error) {
	v, err := s.readJSON(file)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var apps []definition
	for _, item := range list {
		app, ok := item.(map[string]any)
		if !ok {
			return nil, errors.New("the file must hold an app (a JSON object) or a list of apps")
		}
		if app["apps"] != nil || app["groups"] != nil {
			return nil, errors.New("this is a group; use \"rollcall group apply\"")
		}
		if id, _ := app["id"].(string); strings.Trim(id, "/") == "" {
			return nil, errors.New("an app has no id")
		}
		apps = append(apps, app)
	}
	if len(apps) == 0 {
		return nil, errors.New("there is no app in the file")
	}
	return apps, nil
}

// idOf is the id that a definition gives, which may be relative to a group, "" when it gives none.
func idOf(d definition, within string) string {
	id, _ := d["id"].(string)
	if id == "" {
		return ""
	}
	if strings.HasPrefix(id, "/") {
		return path.Clean(id)
	}
	return path.Join(within, id)
}

// appsOf collects the apps of a group and of the groups in it by their ids.
func appsOf(group definition, id string, into map[string]definition) {
	for _, item := range list(group["apps"]) {
		if app, ok := item.(map[string]any); ok {
			into[idOf(app, id)] = app
		}
	}
	for _, item := range list(group["groups"]) {
		if g, ok := item.(map[string]any); ok {
			appsOf(g, idOf(g, id), into)
		}
	}
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
