package source

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// checkComments looks at every comment of the package for directives that are
// unknown, misplaced or misspelt: none may go by unheard. It also picks up the
// license.
func (l *loader) checkComments(pkg *Package) {
	for _, f := range l.main.files {
		places := placesOf(f.ast)
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				l.checkComment(pkg, c, places[c])
			}
		}
	}
	if pkg.License == "" {
		pkg.License = defaultLicense
	}
}

const defaultLicense = "Dual MIT/GPL"

// placesOf tells what the comments of a file stand above.
func placesOf(f *ast.File) map[*ast.Comment]place {
	places := make(map[*ast.Comment]place)
	mark := func(p place, docs ...*ast.CommentGroup) {
		for _, doc := range docs {
			if doc != nil {
				for _, c := range doc.List {
					places[c] = p
				}
			}
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			mark(onFunc, d.Doc)
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					mark(onType, d.Doc, s.Doc)
				case *ast.ValueSpec:
					if d.Tok == token.VAR {
						mark(onVar, d.Doc, s.Doc)
					}
				}
			}
		}
	}
	return places
}

func (l *loader) checkComment(pkg *Package, c *ast.Comment, at place) {
	word, args, ok := parseDirective(c.Text)
	if !ok {
		l.checkMisspelt(c, at)
		return
	}
	rule, known := directiveRules[word]
	if !known && abi.ProgramKindByName(word) != nil {
		rule, known = directiveRule{place: onFunc}, true
	}
	switch {
	case !known:
		l.unknownDirective(c, word)
	case rule.library:
		l.refuse(c.Pos(), codeLibraryDirective, "directive //bpf:%s outside waggle's own library", word)
	case rule.place != anywhere && rule.place&at == 0:
		l.errorf(c.Pos(), codeMisplaced, "put it directly above "+rule.place.String(), "misplaced directive //bpf:%s", word)
	case word == "license":
		l.setLicense(pkg, c, args)
	}
}

func (p place) String() string {
	switch p {
	case onFunc:
		return "a function"
	case onType:
		return "a type"
	case onVar:
		return "a package variable"
	}
	panic("BUG: a place without a name")
}

func (l *loader) unknownDirective(c *ast.Comment, word string) {
	hint := "docs/subset.md lists all"
	if near := closest(word); near != "" {
		hint = "did you mean //bpf:" + near + "?"
	}
	l.errorf(c.Pos(), codeUnknownDirective, hint, "unknown directive //bpf:%s", word)
}

// checkMisspelt catches "// bpf:xdp", which Go takes for prose.
func (l *loader) checkMisspelt(c *ast.Comment, at place) {
	text, ok := strings.CutPrefix(c.Text, "//")
	if !ok || at == 0 {
		return
	}
	text, ok = strings.CutPrefix(strings.TrimLeft(text, " \t"), "bpf:")
	if !ok {
		return
	}
	word, _, _ := parseDirective(directivePrefix + text)
	if _, known := directiveRules[word]; known || abi.ProgramKindByName(word) != nil {
		l.errorf(c.Pos(), codeSpacedDirective, "write //bpf:"+word, "a directive has no space behind the slashes")
	}
}

func (l *loader) setLicense(pkg *Package, c *ast.Comment, args string) {
	license, err := strconv.Unquote(args)
	switch {
	case err != nil || license == "":
		l.refuse(c.Pos(), codeBadLicense, "the license is not a quoted string")
	case pkg.License != "" && pkg.License != license:
		l.refuse(c.Pos(), codeBadLicense, "a second license, after %q", pkg.License)
	default:
		pkg.License = license
	}
}
