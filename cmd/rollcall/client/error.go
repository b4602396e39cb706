package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Error is an answer that refuses a request, in Marathon's form.
type Error struct {
	Status      int
	Message     string
	Problems    []Problem // of a definition
	Deployments []string  // that are in the way
}

// Problem says what is wrong with one part of a definition.
type Problem struct {
	Path   string   `json:"path"`
	Errors []string `json:"errors"`
}

// Error says what the server said, problems each on a line of its own.
func (e *Error) Error() string {
	text := e.Message
	switch {
	case e.Status == http.StatusUnauthorized:
		text += " (ROLLCALL_USER and ROLLCALL_PASSWORD, ROLLCALL_TOKEN or a profile say who asks)"
	case len(e.Deployments) > 0:
		text += fmt.Sprintf(" (deployment %s; -force takes its place)", strings.Join(e.Deployments, ", "))
	}
	for _, p := range e.Problems {
		text += "\n  " + strings.TrimPrefix(p.Path+": ", ": ") + strings.Join(p.sentences(), "; ")
	}
	return text
}

// sentences are the errors without the codes that Marathon's API gives beside them.
func (p Problem) sentences() []string {
	worded := slices.DeleteFunc(slices.Clone(p.Errors), func(text string) bool { return strings.HasPrefix(text, "error.") })
	if len(worded) == 0 {
		return p.Errors
	}
	return worded
}

// IsNotFound tells whether an error says that something does not exist.
func IsNotFound(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Status == http.StatusNotFound
}

// IsConflict tells whether an error says that something else is in the way: a deployment, or an app that exists.
func IsConflict(err error) bool {
	refused, ok := errors.AsType[*Error](err)
	return ok && refused.Status == http.StatusConflict
}

// refusal reads an answer that says no. Whatever stands in it, proxies answer in their own ways, there is a message.
func refusal(status int, answer []byte) *Error {
	e := &Error{Status: status}
	var body struct {
		Message     string          `json:"message"`
		Details     json.RawMessage `json:"details"`
		Deployments []struct {
			ID string `json:"id"`
		} `json:"deployments"`
	}
	if json.Unmarshal(answer, &body) == nil {
		e.Message = body.Message
		for _, d := range body.Deployments {
			e.Deployments = append(e.Deployments, d.ID)
		}
		var text string
		if json.Unmarshal(body.Details, &e.Problems) != nil && json.Unmarshal(body.Details, &text) == nil && text != "" {
			e.Message += ": " + text
		}
	}
	if e.Message == "" {
		e.Message = strings.TrimSpace(fmt.Sprintf("the server answers %d %s", status, http.StatusText(status)))
		if status == http.StatusNotFound { // the API's own says what is not found
			e.Message += ", and not as this API does; -url or ROLLCALL_URL names another address"
		}
	}
	return e
}
