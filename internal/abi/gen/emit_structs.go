package main

import (
	"bytes"
	"fmt"
	"log"
	"regexp"
	"strconv"
	"strings"
)

// structFile writes one file of Go twins.
func structFile(g goFile, structs map[string]*cstruct) *bytes.Buffer {
	body := new(bytes.Buffer)
	for _, s := range g.structs {
		c := structs[s.c]
		if c == nil {
			log.Fatalf("no struct %s in structs.txt", s.c)
		}
		writeStruct(body, s, c)
	}
	b := begin(g.pkg, "")
	var imports []string
	for _, pkg := range []string{"bpf", "bpf/packet", "bpf/sk"} {
		if name := pkg[strings.LastIndexByte(pkg, '/')+1:]; name != g.pkg && regexp.MustCompile(`\b`+name+`\.[A-Z]`).Match(body.Bytes()) {
			imports = append(imports, strconv.Quote("github.com/waggle-bpf/waggle/"+pkg))
		}
	}
	if len(imports) > 0 {
		fmt.Fprintf(b, "import (\n%s\n)\n\n", strings.Join(imports, "\n"))
	}
	own := regexp.MustCompile(`\b` + g.pkg + `\.([A-Z])`)
	b.Write(own.ReplaceAll(body.Bytes(), []byte("$1")))
	return b
}

func writeStruct(b *bytes.Buffer, s goStruct, c *cstruct) {
	fmt.Fprintf(b, "\n// %s\n", strings.ReplaceAll(s.doc, "\n", "\n// "))
	fmt.Fprintf(b, "type %s struct {\n", s.name)
	used, off := map[string]bool{}, 0
	for _, f := range c.fields {
		if gap := f.off - off; gap > 0 {
			fmt.Fprintf(b, "_ [%d]byte\n", gap)
		}
		off = f.off + f.size
		p, ok := s.fields[f.name]
		used[f.name] = ok
		name, typ, doc := p.name, p.typ, p.doc
		if name == "" {
			name = goName(f.name)
		}
		if f.name == "" {
			name = "_"
		}
		if typ == "" {
			typ = fieldType(f)
		}
		if doc == "" {
			doc = f.comment
		}
		if doc != "" {
			doc = " // " + doc
		}
		fmt.Fprintf(b, "%s %s%s\n", name, typ, doc)
	}
	if gap := c.size - off; gap > 0 {
		fmt.Fprintf(b, "_ [%d]byte\n", gap)
	}
	fmt.Fprintf(b, "}\n")
	for name := range s.fields {
		if _, ok := used[name]; !ok {
			log.Fatalf("patches.go: struct %s has no field %s", s.c, name)
		}
	}
}

func fieldType(f cfield) string {
	t, ok := goTypes[f.ctype]
	if !ok {
		log.Fatalf("structs.txt: field %s needs a patch for its type %s", f.name, f.ctype)
	}
	if f.count >= 0 {
		return fmt.Sprintf("[%d]%s", f.count, t)
	}
	return t
}
