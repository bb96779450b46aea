// Command extract reads the kernel's and libbpf's headers and writes the pinned
// tables that command gen works from: helpers.txt and structs.txt. It is run by
// hand, when the tables are to follow a newer kernel:
//
//	go run ./extract -bpf /usr/include/linux/bpf.h -helpers /usr/include/bpf/bpf_helper_defs.h \
//		-source "linux-libc-dev 6.1.192-2, libbpf-dev 1.1.2"
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"regexp"
	"strings"
)

// structNames are the structs that programs see, in the order of structs.txt.
var structNames = []string{
	"xdp_md", "__sk_buff", "bpf_sock", "bpf_tcp_sock", "bpf_sock_addr", "sk_msg_md",
	"bpf_sock_ops", "bpf_sk_lookup", "bpf_sock_tuple", "bpf_tunnel_key", "bpf_fib_lookup",
	"bpf_redir_neigh", "bpf_pidns_info", "bpf_perf_event_value",
}

const header = `# Extracted from the headers of %s; see extract.
# SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note
`

func main() {
	log.SetFlags(0)
	bpfH := flag.String("bpf", "/usr/include/linux/bpf.h", "the UAPI header")
	defsH := flag.String("helpers", "/usr/include/bpf/bpf_helper_defs.h", "libbpf's helper list, made from the UAPI header")
	source := flag.String("source", "", "where the headers are from, with version")
	flag.Parse()
	if *source == "" {
		log.Fatal("extract: -source is missing")
	}
	write := func(name, text string) {
		if err := os.WriteFile(name, []byte(fmt.Sprintf(header, *source)+text), 0o644); err != nil {
			log.Fatalf("extract: %v", err)
		}
	}
	write("helpers.txt", helpers(read(*defsH)))
	write("structs.txt", structs(read(*bpfH)))
}

func read(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		log.Fatalf("extract: %v", err)
	}
	return string(b)
}

// A helper in the header is a comment and a declaration.
var helperRE = regexp.MustCompile(`(?ms)^/\*\n \* bpf_\w+\n \*\n(.*?) \*/\nstatic (.*?)\(\*bpf_(\w+)\)\((.*?)\) = \(void \*\) (\d+);`)

// helpers writes each helper as a line "ID RESULT|NAME|PARAMETERS" and its
// description, indented by a tab.
func helpers(text string) string {
	var sb strings.Builder
	for _, m := range helperRE.FindAllStringSubmatch(text, -1) {
		fmt.Fprintf(&sb, "\n%s %s|%s|%s\n", m[5], strings.TrimSpace(m[2]), m[3], m[4])
		for line := range strings.Lines(strings.TrimRight(m[1], " *\n") + "\n") {
			line = strings.TrimSuffix(strings.TrimPrefix(line, " *"), "\n")
			line = strings.TrimPrefix(line, " ")
			sb.WriteString(strings.TrimRight("\t"+line, "\t ") + "\n")
		}
	}
	return sb.String()
}

// structs copies the definitions of the structs.
func structs(text string) string {
	var sb strings.Builder
	for _, name := range structNames {
		_, def, ok := strings.Cut(text, "\nstruct "+name+" {\n")
		if !ok {
			log.Fatalf("extract: no struct %s", name)
		}
		def, _, _ = strings.Cut(def, "\n};\n")
		fmt.Fprintf(&sb, "\nstruct %s {\n%s\n};\n", name, def)
	}
	return sb.String()
}
