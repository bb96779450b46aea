package main

import (
	"log"
	"regexp"
	"strconv"
	"strings"
)

// cstruct is a C struct with its layout.
type cstruct struct {
	name        string
	fields      []cfield
	size, align int
}

// cfield is a field of a cstruct. Of a union only the first of its biggest
// members is kept. A field without a name is padding.
type cfield struct {
	name, ctype string
	count       int // of an array; -1 if it is none
	comment     string
	off, size   int
	align       int
	group       bool // several fields as bytes, under the first one's name
}

var structComment = regexp.MustCompile(`(?s)/\*(.*?)\*/`)

// parseStructs reads C struct definitions.
func parseStructs(text string) map[string]*cstruct {
	out := map[string]*cstruct{}
	for _, def := range regexp.MustCompile(`(?ms)^struct (\w+) \{\n(.*?)\n\};`).FindAllStringSubmatch(text, -1) {
		p := &structParser{toks: tokens(def[2]), name: def[1]}
		s := &cstruct{name: def[1], fields: p.fields()}
		s.layout()
		out[s.name] = s
	}
	return out
}

// tokens splits C into words, punctuation and comments.
func tokens(text string) []string {
	return regexp.MustCompile(`(?s)/\*.*?\*/|\w+|[{}();:,*\[\]]`).FindAllString(text, -1)
}

type structParser struct {
	name string
	toks []string
}

func (p *structParser) peek() string {
	if len(p.toks) == 0 {
		return ""
	}
	return p.toks[0]
}

func (p *structParser) next() string {
	t := p.peek()
	if t == "" {
		log.Fatalf("structs.txt: struct %s ends early", p.name)
	}
	p.toks = p.toks[1:]
	return t
}

// fields reads fields up to the closing brace or the end.
func (p *structParser) fields() []cfield {
	var list []cfield
	for {
		switch t := p.peek(); {
		case t == "" || t == "}":
			return list
		case strings.HasPrefix(t, "/*"):
			p.next() // before a field: about a group of them
		case t == "union":
			list = append(list, p.union())
		default:
			list = append(list, p.field())
		}
	}
}

// union reads a union and picks the first of its biggest members.
func (p *structParser) union() cfield {
	p.next()
	p.next() // {
	var best cfield
	align := 1
	for p.peek() != "}" {
		var members []cfield
		if p.peek() == "struct" && p.toks[1] == "{" {
			p.next()
			p.next()
			members = p.fields()
			p.next()
			if p.peek() != ";" {
				members[0].name = p.next()
			}
			p.next()
		} else if strings.HasPrefix(p.peek(), "/*") {
			p.next()
			continue
		} else {
			members = []cfield{p.field()}
		}
		s := cstruct{fields: members}
		s.layout()
		align = max(align, s.align)
		if s.size > best.size {
			best = members[0]
			if len(members) > 1 {
				best.ctype, best.count, best.group = "__u8", s.size, true
			}
			best.size = s.size
		}
	}
	for p.next() != ";" { // } and attributes
	}
	best.align = align
	return best
}

func (p *structParser) field() cfield {
	var f cfield
	if p.peek() == "__bpf_md_ptr" {
		f = p.mdPointer()
	} else {
		f = p.plain()
	}
	for p.next() != ";" {
	}
	if c := p.peek(); strings.HasPrefix(c, "/*") {
		f.comment = cleanComment(p.next())
	}
	return f
}

// mdPointer reads __bpf_md_ptr(TYPE, NAME).
func (p *structParser) mdPointer() cfield {
	p.next()
	p.next()
	var words []string
	for p.peek() != "," {
		words = append(words, p.next())
	}
	p.next()
	f := cfield{ctype: strings.Join(words, " "), name: p.next(), count: -1, size: 8, align: 8}
	p.next() // )
	return f
}

func (p *structParser) plain() cfield {
	f := cfield{ctype: p.next(), count: -1}
	size, ok := map[string]int{"__u8": 1, "__u16": 2, "__be16": 2, "__u32": 4, "__be32": 4, "__s32": 4, "int": 4, "__u64": 8}[f.ctype]
	if !ok {
		log.Fatalf("structs.txt: struct %s: unknown type %q", p.name, f.ctype)
	}
	f.size, f.align = size, size
	if p.peek() == ":" { // unnamed bits: padding to the end of the unit
		p.next()
		bits, _ := strconv.Atoi(p.next())
		f.ctype, f.count, f.size, f.align = "__u8", bits/8, bits/8, 1
		return f
	}
	f.name = p.next()
	if p.peek() == "[" {
		p.next()
		f.count, _ = strconv.Atoi(p.next())
		f.size *= f.count
	}
	return f
}

func (s *cstruct) layout() {
	off := 0
	s.align = 1
	for i := range s.fields {
		f := &s.fields[i]
		off = (off + f.align - 1) / f.align * f.align
		f.off = off
		off += f.size
		s.align = max(s.align, f.align)
	}
	s.size = (off + s.align - 1) / s.align * s.align
}

func cleanComment(c string) string {
	c = structComment.FindStringSubmatch(c)[1]
	var words []string
	for _, w := range strings.Fields(c) {
		if w != "*" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}
