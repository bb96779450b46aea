package main

import (
	"bytes"
	"fmt"
	"log"
	"regexp"
	"strings"
)

// abiTable writes the helper table of package abi.
func abiTable(helpers []*helper) *bytes.Buffer {
	byName := map[string]*helper{}
	for _, h := range helpers {
		byName[h.name] = h
	}
	b := begin("abi", "")
	fmt.Fprintf(b, "// Helpers is the table of BPF helper functions, by number from 1.\nvar Helpers = []Helper{\n")
	for _, h := range helpers {
		fmt.Fprintf(b, "{ID: %d, Name: %q", h.id, h.name)
		if args := h.args(); len(args) > 0 {
			fmt.Fprintf(b, ", Args: %#v", args)
		}
		if h.invalidatesPackets() {
			fmt.Fprintf(b, ", InvalidatesPackets: true")
		}
		if pure[h.name] {
			fmt.Fprintf(b, ", Pure: true")
		}
		if r := acquires[h.name]; r != "" {
			fmt.Fprintf(b, ", ReleaseWith: %d", byName[r].id)
		}
		if r := releases[h.name]; r != 0 {
			fmt.Fprintf(b, ", Releases: %d", r)
		}
		if l := locks[h.name]; l != 0 {
			fmt.Fprintf(b, ", Lock: %+d", l)
		}
		fmt.Fprintf(b, ", MinKernel: %q},\n", minKernel(h.id))
	}
	fmt.Fprintf(b, "}\n")
	return b
}

const helperDoc = `// The descriptions of the helpers are those of include/uapi/linux/bpf.h.
// SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note`

// helperPackage writes package bpf/helper.
func helperPackage(helpers []*helper) *bytes.Buffer {
	b := begin("helper", helperDoc)
	fmt.Fprintf(b, "import (\n\"unsafe\"\n\n\"github.com/waggle-bpf/waggle/bpf/internal/sim\"\n)\n")
	for _, h := range helpers {
		writeHelper(b, h)
	}
	return b
}

func writeHelper(b *bytes.Buffer, h *helper) {
	name := goName(h.name)
	fmt.Fprintf(b, "\n// %s calls bpf_%s, helper %d (Linux %s).\n", name, h.name, h.id, minKernel(h.id))
	writeDoc(b, h.doc)
	var params, args []string
	for _, p := range h.params {
		if p.ctype == "..." {
			for i := 1; len(args) < 5; i++ {
				params = append(params, fmt.Sprintf("arg%d uint64", i))
				args = append(args, fmt.Sprintf("arg%d", i))
			}
			continue
		}
		params = append(params, goParam(p.name)+" "+rawType(p.ctype))
		args = append(args, goParam(p.name))
	}
	fmt.Fprintf(b, "//\n//bpf:helper %s(%s)\n", h.name, strings.Join(args, ", "))
	fmt.Fprintf(b, "func %s(%s) ", name, strings.Join(params, ", "))
	body := fmt.Sprintf("sim.Unsupported(%q)", "helper."+name)
	if s := simulated[h.name]; s != "" {
		body = strings.ReplaceAll(s, "KERNEL", fmt.Sprintf("sim.Current(%q)", "helper."+name))
	} else if h.result != "void" {
		body += "\nreturn " + zero(rawType(h.result))
	}
	if h.result != "void" {
		fmt.Fprintf(b, "%s ", rawType(h.result))
	}
	fmt.Fprintf(b, "{\n%s\n}\n", body)
}

// simulated holds the native bodies of helpers that need no context.
var simulated = map[string]string{
	"ktime_get_ns":         "return KERNEL.Now",
	"ktime_get_boot_ns":    "k := KERNEL\nreturn k.Now + k.Boot",
	"ktime_get_coarse_ns":  "return KERNEL.Now",
	"ktime_get_tai_ns":     "return KERNEL.Wall",
	"get_prandom_u32":      "return uint32(KERNEL.Random())",
	"get_smp_processor_id": "return uint32(KERNEL.CPU)",
	"get_current_pid_tgid": "t := KERNEL.Task\nreturn uint64(t.TGID)<<32 | uint64(t.PID)",
	"get_current_uid_gid":  "t := KERNEL.Task\nreturn uint64(t.GID)<<32 | uint64(t.UID)",
}

// rawType is the type that package helper gives a C type.
func rawType(ctype string) string {
	ctype = strings.TrimPrefix(ctype, "const ")
	if isPointer(ctype) {
		return "unsafe.Pointer"
	}
	t, ok := goTypes[ctype]
	if !ok {
		log.Fatalf("helpers.txt: unknown C type %q", ctype)
	}
	return strings.Replace(t, "bpf.BE", "uint", 1)
}

func zero(goType string) string {
	if goType == "unsafe.Pointer" {
		return "nil"
	}
	return "0"
}

var emphasis = regexp.MustCompile(`\*\*(.+?)\*\*|\*([^\s*][^*]*)\*`)

// writeDoc writes reStructuredText as a Go comment: prose is rewrapped, lists
// and definitions stay as they are, indented.
func writeDoc(b *bytes.Buffer, lines []string) {
	text := strings.Join(lines, "\n")
	text = strings.ReplaceAll(text, "\\ ", "")
	text = emphasis.ReplaceAllString(text, "$1$2")
	text = strings.ReplaceAll(text, "\nReturns\n", "\n\nReturns\n\n")
	for _, para := range regexp.MustCompile(`\n\s*\n`).Split(text, -1) {
		para = strings.Trim(para, "\n")
		switch {
		case strings.TrimSpace(para) == "":
		case para == "Returns":
			fmt.Fprintf(b, "//\n// Returns:\n")
		case isProse(para):
			fmt.Fprintf(b, "//\n")
			wrap(b, strings.Fields(para))
		default:
			fmt.Fprintf(b, "//\n")
			for line := range strings.SplitSeq(para, "\n") {
				fmt.Fprintf(b, "//\t%s\n", strings.TrimPrefix(line, "\t"))
			}
		}
	}
}

// isProse reports whether a paragraph has one indentation and is no list.
func isProse(para string) bool {
	for line := range strings.SplitSeq(para, "\n") {
		rest, ok := strings.CutPrefix(line, "\t")
		if !ok || strings.HasPrefix(rest, "\t") || strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, "* ") {
			return false
		}
	}
	return true
}

func wrap(b *bytes.Buffer, words []string) {
	col := 0
	for _, w := range words {
		if col == 0 || col+1+len(w) > 80 {
			if col > 0 {
				b.WriteByte('\n')
			}
			b.WriteString("//")
			col = 2
		}
		b.WriteString(" " + w)
		col += 1 + len(w)
	}
	b.WriteByte('\n')
}
