package main

import "testing"

// Masters want the principal of the FrameworkInfo to be the one that requests are authenticated as.
func TestFrameworkPrincipal(t *testing.T) {
	credentials := mesosCredentials{Principal: "marathon", Secret: "hush"}
	for want, m := range map[string]mesosConfig{
		"":          {},
		"marathon":  {Authentication: "basic", Credentials: credentials},
		"dcos_acct": {Authentication: "iam", Files: mesosFiles{IAM: `{"uid": "dcos_acct", "private_key": "x"}`}},
	} {
		if got := m.principal(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
