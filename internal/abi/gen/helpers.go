package main

import (
	"log"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// helper is one entry of helpers.txt.
type helper struct {
	id     int
	name   string // without "bpf_"
	result string // C type
	params []param
	doc    []string // lines of reStructuredText
}

// param is a parameter of a helper; "..." has no name.
type param struct{ ctype, name string }

var (
	helperLine = regexp.MustCompile(`^(\d+) (.*)\|(\w+)\|(.*)$`)
	paramRE    = regexp.MustCompile(`^(.*?)(\w+)$`)
)

func parseHelpers(text string) []*helper {
	var list []*helper
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := helperLine.FindStringSubmatch(line); m != nil {
			id, _ := strconv.Atoi(m[1])
			list = append(list, &helper{id: id, name: m[3], result: m[2], params: parseParams(m[4])})
		} else if len(list) > 0 {
			h := list[len(list)-1]
			h.doc = append(h.doc, strings.TrimPrefix(line, "\t"))
		}
	}
	for i, h := range list {
		if h.id != i+1 {
			log.Fatalf("helpers.txt: helper %s has number %d, expected %d", h.name, h.id, i+1)
		}
	}
	return list
}

func parseParams(text string) []param {
	if text == "void" {
		return nil
	}
	var list []param
	for p := range strings.SplitSeq(text, ",") {
		p = strings.TrimSpace(p)
		if p == "..." {
			list = append(list, param{ctype: p})
			continue
		}
		m := paramRE.FindStringSubmatch(p)
		list = append(list, param{strings.TrimSpace(m[1]), m[2]})
	}
	return list
}

func isPointer(ctype string) bool { return strings.HasSuffix(ctype, "*") }

// invalidatesPackets reports whether the description warns of it.
func (h *helper) invalidatesPackets() bool {
	text := strings.Join(strings.Fields(strings.Join(h.doc, " ")), " ")
	return strings.Contains(text, "susceptible to change the underlying packet buffer") || movesPackets[h.name]
}

// args are the C types of the parameters; pointers that the kernel only reads
// through are const, whatever the header says.
func (h *helper) args() []string {
	var list []string
	for i, p := range h.params {
		if p.ctype == "..." {
			continue
		}
		t := p.ctype
		if slices.Contains(readOnly[h.name], i) && !strings.HasPrefix(t, "const ") {
			t = "const " + t
		}
		list = append(list, t)
	}
	return list
}

func minKernel(id int) string {
	v := ""
	for _, s := range since {
		if id >= s.firstID {
			v = s.kernel
		}
	}
	return v
}
