package cli

import (
	"fmt"
	"strings"
)

// Manual is the manual page of the program, rollcall(1), made of the help of the program and of its commands.
func Manual(version, program string, all []Usage) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH ROLLCALL 1 \"\" \"rollcall %s\" \"User Commands\"\n", escape(version))
	b.WriteString(".SH NAME\nrollcall \\- run apps as Marathon does, and answer for their names in DNS\n")
	b.WriteString(".SH DESCRIPTION\n.nf\n" + verbatim(program) + ".fi\n.SH COMMANDS\n")
	for _, u := range all {
		fmt.Fprintf(&b, ".SS rollcall %s\n.nf\n%s.fi\n", escape(strings.Join(u.Words, " ")), verbatim(u.Text))
	}
	b.WriteString(environmentText)
	return b.String()
}

const environmentText = `.SH ENVIRONMENT
.TP
ROLLCALL_URL, ROLLCALL_PROFILE, MARATHON_URL
where the API is, if no flag says so; the first that is set counts.
.TP
ROLLCALL_TOKEN, or ROLLCALL_USER and ROLLCALL_PASSWORD
who asks.
.TP
ROLLCALL_CACERT
file of certificates to trust.
.TP
ROLLCALL_PROFILES
file of profiles, instead of ~/.config/rollcall/profiles.json.
.TP
NO_COLOR
no colours, whatever it is set to.
`

// verbatim writes text for troff to leave as it is.
func verbatim(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			b.WriteString(`\&`)
		}
		b.WriteString(escape(line))
	}
	return b.String()
}

func escape(text string) string { return strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text) }
