package object

import (
	"fmt"
	"go/types"
	"hash/fnv"
	"strings"
	"unicode/utf8"
)

// maxName is the length of a BTF name before Linux 6.1 (KSYM_NAME_LEN), less
// the terminating NUL.
const maxName = 127

// cKeywords are the C keywords that are identifiers in Go. A type or field of
// such a name would make what bpftool generates from BTF fail to compile.
var cKeywords = map[string]bool{
	"asm": true, "auto": true, "bool": true, "char": true, "do": true, "double": true, "enum": true,
	"extern": true, "false": true, "float": true, "inline": true, "int": true, "long": true,
	"register": true, "restrict": true, "short": true, "signed": true, "sizeof": true, "static": true,
	"true": true, "typedef": true, "typeof": true, "union": true, "unsigned": true, "void": true,
	"volatile": true, "while": true,
}

// cIdent makes a C identifier of any text: runs of other characters become one
// underscore, letters outside ASCII their code point. "Pair[uint32,[4]byte]"
// yields "Pair_uint32_4_byte".
func cIdent(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range s {
		ident := r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !ident && r < utf8.RuneSelf {
			gap = true
			continue
		}
		if gap && b.Len() > 0 || b.Len() == 0 && '0' <= r && r <= '9' {
			b.WriteByte('_')
		}
		gap = false
		if ident {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "u%04x", r)
		}
	}
	name := b.String()
	if name == "" {
		return "_"
	}
	if cKeywords[name] {
		name += "_"
	}
	return shorten(name)
}

// shorten cuts a name that is too long and marks it with a hash of the whole.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("%s_%08x", name[:maxName-9], h.Sum32())
}

// typeName names t in BTF: types of the kernel package by their bare name,
// others with their package's name in front.
func (c *converter) typeName(t types.Type) string {
	return cIdent(types.TypeString(t, c.qualify))
}

// constName names an enumerator by the same rule.
func (c *converter) constName(k *types.Const) string {
	if q := c.qualify(k.Pkg()); q != "" {
		return cIdent(q + "." + k.Name())
	}
	return cIdent(k.Name())
}

func (c *converter) qualify(p *types.Package) string {
	if p.Path() == c.home {
		return ""
	}
	return p.Name()
}
