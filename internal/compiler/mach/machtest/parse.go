// Package machtest helps tests of the back end: it reads functions in the form
// that [mach.Func.String] prints, and makes random ones.
package machtest

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// Parse reads a function as [mach.Func.String] prints it. The line "func" may
// be missing, and "# ..." is a comment. A block without a jump at its end goes
// on at the next one. Maps and globals get a fresh symbol for each name.
func Parse(text string) (*mach.Func, error) {
	p := &parser{f: &mach.Func{}, blocks: map[string]*mach.Block{}, syms: map[string]any{}}
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, " # ")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("parse line %d, %q: %w", n+1, line, err)
		}
	}
	if err := p.finish(); err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	return p.f, nil
}

// MustParse is Parse for text that is known to be right.
func MustParse(text string) *mach.Func {
	f, err := Parse(text)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return f
}

type parser struct {
	f      *mach.Func
	cur    *mach.Block
	jumped bool // cur ended in an unconditional jump
	blocks map[string]*mach.Block
	syms   map[string]any
}

var (
	reFunc  = regexp.MustCompile(`^func (\S+) frame (\d+)$`)
	reLabel = regexp.MustCompile(`^(b\d+):(?: depth (\d+))?( cold)?$`)
	reGoto  = regexp.MustCompile(`^(.*?) ?goto (b\d+)$`)
)

func (p *parser) line(s string) error {
	if m := reFunc.FindStringSubmatch(s); m != nil {
		p.f.FrameSize = int64(atoi(m[2]))
		return nil
	}
	if m := reLabel.FindStringSubmatch(s); m != nil {
		p.label(m)
		return nil
	}
	if p.cur == nil {
		p.label([]string{"", "b0", "", ""})
	}
	target := ""
	if m := reGoto.FindStringSubmatch(s); m != nil {
		s, target = m[1], m[2]
	}
	if s != "" {
		i, err := p.insn(s)
		if err != nil {
			return err
		}
		p.note(i)
		p.cur.Insns = append(p.cur.Insns, i)
	}
	if target != "" {
		link(p.cur, p.block(target))
		p.jumped = s == ""
	}
	if n := len(p.cur.Insns); n > 0 && p.cur.Insns[n-1].Op == mach.EXIT {
		p.jumped = true
	}
	return nil
}

// label starts the block that m, a match of reLabel, names.
func (p *parser) label(m []string) {
	b := p.block(m[1])
	if p.cur != nil && !p.jumped {
		link(p.cur, b)
	}
	p.jumped = false
	b.Depth, b.Cold = atoi(m[2]), m[3] != ""
	p.f.Blocks = append(p.f.Blocks, b)
	p.cur = b
}

func (p *parser) block(name string) *mach.Block {
	b := p.blocks[name]
	if b == nil {
		b = &mach.Block{ID: atoi(name[1:])}
		p.blocks[name] = b
	}
	return b
}

func (p *parser) finish() error {
	if p.cur == nil {
		return errors.New("no blocks")
	}
	if !p.jumped {
		return errors.New("control falls off the end")
	}
	if len(p.blocks) != len(p.f.Blocks) {
		return errors.New("jump to a block that does not exist")
	}
	return nil
}

// note keeps NextReg above every virtual register in i.
func (p *parser) note(i mach.Insn) {
	if i.HasDst() {
		p.f.NextReg = max(p.f.NextReg, i.Dst+1)
	}
	if i.HasSrc() {
		p.f.NextReg = max(p.f.NextReg, i.Src+1)
	}
}

func link(b, s *mach.Block) {
	b.Succs = append(b.Succs, s)
	s.Preds = append(s.Preds, b)
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// symbol returns the one map or global of that name.
func (p *parser) symbol(kind, name string) any {
	key := kind + " " + name
	if p.syms[key] == nil {
		switch kind {
		case "map":
			p.syms[key] = &ir.Map{Name: name}
		case "global":
			p.syms[key] = &ir.Global{Name: name}
		default:
			p.syms[key] = &ir.Func{Name: name}
		}
	}
	return p.syms[key]
}
