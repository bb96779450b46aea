package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// Manual is docs/cli.md: what --help says, of all commands.
func Manual() string {
	parser, err := newParser(&env{stdout: io.Discard, stderr: io.Discard})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	var b strings.Builder
	b.WriteString(manualHead)
	for _, node := range parser.Model.Leaves(true) {
		writeCommand(&b, node)
	}
	b.WriteString(manualTail)
	return b.String()
}

const manualHead = `<!-- Generated from the commands' own help by internal/cli/gendocs; do not edit. -->
# The waggle command

Every command has ` + "`--help`" + `, which says what is written here, and cleans up after itself on SIGINT,
SIGTERM and SIGHUP; ` + "`forward` and `idle`" + ` take SIGHUP otherwise. Signals that follow within half a second are the same
wish; later ones end it at once.
`

const manualTail = `
## Exit codes

| code | meaning |
|---|---|
| 0 | done |
| 1 | failure |
| 2 | bad input or configuration; about source code the message is ` + "`file:line:col: text`" + ` |
| 3 | a kernel program faulted at run time; the message is ` + "`fault: file:line: what`" + ` |
| 4 | a privilege or kernel feature is missing; the message names it |
`

func writeCommand(b *strings.Builder, node *kong.Node) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", node.FullPath(), node.Help)
	fmt.Fprintf(b, "\n```\nwaggle %s\n```\n", node.Summary())
	if node.Detail != "" {
		fmt.Fprintf(b, "\n%s\n", fenced(node.Detail))
	}
	rows := &table{}
	for _, p := range node.Positional {
		rows.add("`"+p.Summary()+"`", p.Help)
	}
	for _, f := range node.Flags {
		if f.Name == "help" {
			continue
		}
		name := "--" + f.Name
		if f.Short != 0 {
			name = fmt.Sprintf("-%c, %s", f.Short, name)
		}
		if !f.IsBool() {
			name += "=" + f.FormatPlaceHolder()
		}
		rows.add("`"+name+"`", f.Help)
	}
	b.WriteString(rows.String())
}

// table is a two-column table.
type table struct{ rows []string }

func (t *table) add(what, help string) {
	t.rows = append(t.rows, fmt.Sprintf("| %s | %s |", strings.ReplaceAll(what, "|", `\|`), strings.ReplaceAll(help, "|", `\|`)))
}

func (t *table) String() string {
	if len(t.rows) == 0 {
		return ""
	}
	return "\n| | |\n|---|---|\n" + strings.Join(t.rows, "\n") + "\n"
}

// fenced turns the indented examples of a help text into fenced blocks.
func fenced(text string) string {
	var out []string
	in := false
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.TrimRight(line, "\n")
		code := strings.HasPrefix(line, "  ")
		if code != in && (code || line != "") {
			out = append(out, "```")
			if !code {
				out = append(out, "")
			}
			in = code
		}
		if !in || line != "" {
			out = append(out, strings.TrimPrefix(line, "  "))
		}
	}
	if in {
		out = append(out, "```")
	}
	return strings.Join(out, "\n")
}
