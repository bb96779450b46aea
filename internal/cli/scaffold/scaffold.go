// Package scaffold holds what a new project starts from: for each kind of program
// a kernel package that does something small, its test, and a loader.
package scaffold

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"slices"
	"strings"
	"text/template"
	"unicode"
)

// kind is one kind of project; its fields are what the templates mention.
type kind struct {
	flag string // what --kind says
	set  string // directory of templates

	Directive string // of the program
	Family    string // package below bpf/ of the context
	Context   string // type of the context

	// Packet programs.
	Verdict, Pass, Parse, Run, TargetExtra string
	// Event programs: what the watched process does, declarations they need.
	Does, Declare string
}

// exec is the context of the tracepoint; its format says so.
const execContext = `
// exec is the context of the tracepoint sched/sched_process_exec, as
// /sys/kernel/tracing/events/sched/sched_process_exec/format lists it.
type exec struct {
	trace.Common
	Filename trace.DataLoc
	PID      int32
	OldPID   int32
}
`

var kinds = []kind{
	{flag: "xdp", set: "packets", Directive: "xdp", Family: "xdp", Context: "xdp.Context",
		Verdict: "xdp.Action", Pass: "xdp.Pass", Parse: "Parse", Run: "XDP"},
	{flag: "tc", set: "packets", Directive: "tc", Family: "tc", Context: "tc.Context",
		Verdict: "tc.Action", Pass: "tc.Next", Parse: "Parse", Run: "TC", TargetExtra: ", Direction: load.Ingress"},
	{flag: "cgroup_skb", set: "packets", Directive: "cgroup_skb/ingress", Family: "cgroup", Context: "cgroup.SkbContext",
		Verdict: "cgroup.Verdict", Pass: "cgroup.Allow", Parse: "ParseIP", Run: "CgroupSkb"},
	{flag: "tracepoint", set: "events", Directive: "tracepoint sched/sched_process_exec", Family: "trace", Context: "exec",
		Does: "runs a program", Declare: execContext},
	{flag: "uprobe", set: "events", Directive: "uprobe", Family: "trace", Context: "trace.Regs",
		Does: "calls the function"},
	{flag: "sockops", set: "conns", Directive: "sockops", Family: "sk", Context: "sk.OpsContext"},
}

// Kinds lists the kinds of projects there are.
func Kinds() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.flag)
	}
	return names
}

//go:embed templates
var templates embed.FS

// files are the files of a project and the templates they come from.
var files = map[string]string{
	"main.go":           "main.go.tmpl",
	"kern/kern.go":      "kern.go.tmpl",
	"kern/kern_test.go": "kern_test.go.tmpl",
}

// Files returns the files of a project by path, gofmt-clean.
func Files(name, kindName string) (map[string][]byte, error) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.flag == kindName })
	if i < 0 {
		return nil, fmt.Errorf("kind %q: there is none of that name; there are %s", kindName, strings.Join(Kinds(), ", "))
	}
	data := struct {
		kind
		Name, Title string
	}{kinds[i], name, title(name)}
	out := make(map[string][]byte)
	for path, from := range files {
		t, err := template.ParseFS(templates, "templates/"+kinds[i].set+"/"+from)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		var b bytes.Buffer
		if err := t.Execute(&b, data); err != nil {
			panic("BUG: " + err.Error())
		}
		if out[path], err = format.Source(b.Bytes()); err != nil {
			panic(fmt.Sprintf("BUG: %s is no Go: %v\n%s", path, err, b.Bytes()))
		}
	}
	return out, nil
}

// title begins a sentence with name.
func title(name string) string {
	r := []rune(name)
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}
