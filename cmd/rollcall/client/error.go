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
	case e.Status == http.StatusConflict && len(e.Deployments) > 0: // the API's words are about its query
		text = fmt.Sprintf("another deployment is under way (%s); -force replaces it", strings.Join(e.Deployments, ", "))
	case e.Status == http.StatusUnauthorized:
		text += " (set ROLLCALL_USER and ROLLCALL_PASSWORD, ROLLCALL_TOKEN, or use a profile)"
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
	for n, text := range worded {
		if strings.HasPrefix(text, idRule) {
			worded[n] = "use lower-case letters, digits, hyphens and dots only, and begin and end each part with a letter or digit"
		}
	}
	return worded
}

// idRule begins what Marathon's API says of an id that is none: the rest of the expression says little to most people.
const idRule = "must fully match regular expression '^(([a-z0-9]"

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
			e.Message += ", and not as this API does; set another address with -url or ROLLCALL_URL"
		}
	}
	return e
}
