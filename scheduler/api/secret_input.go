package api

import (
	"maps"
	"path"
	"regexp"
	"slices"

	"rollcall/scheduler"
)

// decodeEnvSecret reads a variable of the form {"secret": "name"}.
func (in *appInput) decodeEnvSecret(env *object, name string) {
	o, ok := env.object(name)
	if !ok {
		return
	}
	var secret string
	if !o.text("secret", &secret) && !o.has("secret") {
		o.missing("secret")
	}
	o.end()
	in.app.Env[name] = scheduler.EnvValue{Secret: secret}
}

// decodeSecrets reads {"name": {"source": "path"}}.
func (in *appInput) decodeSecrets(o *object, s appSettings) {
	secrets, ok := o.object("secrets")
	if !ok || len(secrets.members) == 0 {
		return
	}
	if !s.secrets {
		in.r.refuse(secrets.path, "Feature secrets is not supported: the configuration of this rollcall has no scheduler.secretsDir.")
	}
	in.app.Secrets = map[string]scheduler.Secret{}
	for _, name := range slices.Sorted(maps.Keys(secrets.members)) {
		secret, ok := secrets.object(name)
		if !ok {
			continue
		}
		var source string
		if !secret.text("source", &source) && !secret.has("source") {
			secret.missing("source")
		}
		secret.end()
		in.app.Secrets[name] = scheduler.Secret{Source: source}
	}
}

// source is what the path of a secret may be.
var source = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$`)

// validateSecrets wants of variables that their secrets are there, and of secrets that the app may have them: those in
// a directory are for the apps in the group of that name.
func (in *appInput) validateSecrets() {
	for _, name := range slices.Sorted(maps.Keys(in.app.Env)) {
		if secret := in.app.Env[name].Secret; secret != "" {
			if _, ok := in.app.Secrets[secret]; !ok {
				in.r.refuse(in.at("env/"+name), "The secret '%s' is not one of the app's secrets", secret)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.app.Secrets)) {
		from := in.app.Secrets[name].Source
		at := in.at("secrets/" + name + "/source")
		if !source.MatchString(from) {
			in.r.refuse(at, "must be a path such as 'shop/password': letters, digits, '_', '-', and dots inside")
			continue
		}
		group := scheduler.Root
		if dir := path.Dir(from); dir != "." {
			group = scheduler.PathID("/" + dir)
		}
		if !in.app.ID.Within(group) {
			in.r.refuse(at, "'%s' is for the apps within '%s'", from, group)
		}
	}
}
