package scheduler

import (
	"encoding/json"
	"fmt"
)

// EnvValue is the value of a variable of an app's environment: a text, or the name of one of the app's secrets, whose
// value nobody but the task gets to know. Its JSON is a text or an object.
type EnvValue struct {
	Text   string
	Secret string // a key of App.Secrets; "" means that Text is the value
}

// Secret says where the value of a secret is kept.
type Secret struct {
	Source string `json:"source"` // a path, below where the operator keeps secrets
}

type envSecret struct {
	Secret string `json:"secret"`
}

// MarshalJSON implements json.Marshaler.
func (v EnvValue) MarshalJSON() ([]byte, error) {
	if v.Secret != "" {
		return json.Marshal(envSecret{v.Secret})
	}
	return json.Marshal(v.Text)
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *EnvValue) UnmarshalJSON(data []byte) error {
	var secret envSecret
	if len(data) > 0 && data[0] == '{' {
		if err := json.Unmarshal(data, &secret); err != nil {
			return err
		}
		if secret.Secret == "" {
			return fmt.Errorf("a variable that is an object has to name a secret")
		}
		*v = EnvValue{Secret: secret.Secret}
		return nil
	}
	*v = EnvValue{}
	return json.Unmarshal(data, &v.Text)
}

// secretSources are the variables of an app whose values are secrets, each with where the secret is kept.
func (a *App) secretSources() map[string]string {
	var out map[string]string
	for name, v := range a.Env {
		if v.Secret != "" {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = a.Secrets[v.Secret].Source
		}
	}
	return out
}
