package machtest

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file reads single instructions.

const (
	reg  = `([rwv]\d+w?)`
	num  = `(-?(?:0x)?[0-9a-f]+)`
	mem  = `\*?\((u8|u16|u32|u64|s8|s16|s32) \*\)\((r\d+|v\d+) ([+-]\d+)\)`
	rhs  = `(\S+)`
	sign = `(\S+)`
)

// forms is the syntax of instructions; the first that matches wins.
var forms = []struct {
	re    *regexp.Regexp
	build func(p *parser, m []string) (mach.Insn, error)
}{
	{form(`exit`), func(*parser, []string) (mach.Insn, error) { return mach.Insn{Op: mach.EXIT}, nil }},
	{form(`call (\S+) \((\d)\)`), buildCall},
	{form(reg + ` = fp ([+-]\d+)`), buildLEA},
	{form(reg + ` = (?:(map|global|func) )?(\S+?)([+-]\d+)? ll`), buildLDIMM64},
	{form(reg + ` = (be|le|bswap)(16|32|64) ` + reg), buildEnd},
	{form(reg + ` = -` + `[rwv]\d+w?`), buildNeg},
	{form(reg + ` = ` + mem), buildLoad},
	{form(mem + ` = ` + rhs), buildStore},
	{form(`lock ` + mem + ` ` + sign + ` ` + reg), buildAtomic},
	{form(reg + ` = atomic_(\w+)\(` + mem + `, (?:r0, )?` + reg + `\)`), buildFetch},
	{form(`if ` + reg + ` ` + sign + ` ` + rhs), buildBranch},
	{form(reg + ` ` + sign + ` ` + rhs), buildALU},
}

func form(s string) *regexp.Regexp { return regexp.MustCompile(`^` + s + `$`) }

func (p *parser) insn(s string) (mach.Insn, error) {
	for _, f := range forms {
		if m := f.re.FindStringSubmatch(s); m != nil {
			return f.build(p, m)
		}
	}
	return mach.Insn{}, errors.New("unknown instruction")
}

var (
	aluOps = map[string]mach.Opcode{
		"+=": mach.Add, "-=": mach.Sub, "*=": mach.Mul, "/=": mach.Div, "|=": mach.Or, "&=": mach.And, "<<=": mach.Lsh,
		">>=": mach.Rsh, "%=": mach.Mod, "^=": mach.Xor, "=": mach.Mov, "s>>=": mach.Arsh,
	}
	jumpOps = map[string]mach.Opcode{
		"==": mach.Jeq, ">": mach.Jgt, ">=": mach.Jge, "&": mach.Jset, "!=": mach.Jne, "s>": mach.Jsgt, "s>=": mach.Jsge,
		"<": mach.Jlt, "<=": mach.Jle, "s<": mach.Jslt, "s<=": mach.Jsle,
	}
	sizes    = map[string]mach.Opcode{"8": mach.SizeB, "16": mach.SizeH, "32": mach.SizeW, "64": mach.SizeDW}
	fetchOps = map[string]int64{
		"fetch_add": int64(mach.Add), "fetch_or": int64(mach.Or), "fetch_and": int64(mach.And), "fetch_xor": int64(mach.Xor),
		"xchg": 0xe0, "cmpxchg": 0xf0,
	}
)

// parseReg reads r3, w3, v37 or v37w.
func parseReg(s string) (r mach.Reg, wide bool, err error) {
	wide = s[0] != 'w' && !strings.HasSuffix(s, "w")
	n, err := strconv.Atoi(strings.Trim(s, "rwv"))
	return mach.Reg(n), wide, err
}

func isReg(s string) bool { return strings.ContainsRune("rwv", rune(s[0])) }

// operand sets the second operand of i from a register or a number.
func operand(i *mach.Insn, s string) (err error) {
	if isReg(s) {
		i.Op |= mach.SrcReg
		i.Src, _, err = parseReg(s)
		return err
	}
	i.Imm, err = strconv.ParseInt(s, 0, 64)
	return err
}

func buildCall(p *parser, m []string) (mach.Insn, error) {
	i := mach.Insn{Op: mach.CALL, NArgs: uint8(atoi(m[2]))}
	if id, ok := strings.CutPrefix(m[1], "#"); ok {
		i.Imm = int64(atoi(id))
	} else {
		i.Sym = p.symbol("func", m[1])
	}
	return i, nil
}

func buildLEA(_ *parser, m []string) (mach.Insn, error) {
	dst, _, err := parseReg(m[1])
	return mach.Insn{Op: mach.LEA, Dst: dst, Imm: int64(atoi(m[2]))}, err
}

func buildLDIMM64(p *parser, m []string) (mach.Insn, error) {
	dst, _, err := parseReg(m[1])
	i := mach.Insn{Op: mach.LDIMM64, Dst: dst}
	if m[2] != "" {
		i.Sym, i.Imm = p.symbol(m[2], m[3]), int64(atoi(m[4]))
		return i, err
	}
	u, err := strconv.ParseUint(m[3], 0, 64)
	i.Imm = int64(u)
	return i, err
}

func buildEnd(_ *parser, m []string) (mach.Insn, error) {
	dst, _, err := parseReg(m[1])
	op := map[string]mach.Opcode{
		"le": mach.Opcode(mach.ClassALU), "be": mach.Opcode(mach.ClassALU) | mach.SrcReg, "bswap": mach.Opcode(mach.ClassALU64),
	}[m[2]]
	return mach.Insn{Op: op | mach.End, Dst: dst, Imm: int64(atoi(m[3]))}, err
}

func buildNeg(_ *parser, m []string) (mach.Insn, error) {
	dst, wide, err := parseReg(m[1])
	return mach.Insn{Op: aluClass(wide) | mach.Neg, Dst: dst}, err
}

func aluClass(wide bool) mach.Opcode {
	if wide {
		return mach.Opcode(mach.ClassALU64)
	}
	return mach.Opcode(mach.ClassALU)
}

func buildALU(_ *parser, m []string) (mach.Insn, error) {
	dst, wide, err := parseReg(m[1])
	op, ok := aluOps[m[2]]
	i := mach.Insn{Op: aluClass(wide) | op, Dst: dst}
	if !ok {
		return i, errors.New("unknown operation")
	}
	return i, errors.Join(err, operand(&i, m[3]))
}

func buildBranch(_ *parser, m []string) (mach.Insn, error) {
	dst, wide, err := parseReg(m[1])
	op, ok := jumpOps[m[2]]
	i := mach.Insn{Op: mach.Opcode(mach.ClassJMP) | op, Dst: dst}
	if !ok {
		return i, errors.New("unknown comparison")
	}
	if !wide {
		i.Op = mach.Opcode(mach.ClassJMP32) | op
	}
	return i, errors.Join(err, operand(&i, m[3]))
}

// memory returns the parts of a match of mem.
func memory(m []string) (size mach.Opcode, base mach.Reg, off int16, err error) {
	size = sizes[m[0][1:]]
	base, _, err = parseReg(m[1])
	return size, base, int16(atoi(m[2])), err
}

func buildLoad(_ *parser, m []string) (mach.Insn, error) {
	dst, _, err := parseReg(m[1])
	size, base, off, err2 := memory(m[2:])
	mode := mach.ModeMEM
	if m[2][0] == 's' {
		mode = mach.ModeMEMSX
	}
	return mach.Insn{Op: mach.Opcode(mach.ClassLDX) | mode | size, Dst: dst, Src: base, Off: off}, errors.Join(err, err2)
}

func buildStore(_ *parser, m []string) (mach.Insn, error) {
	size, base, off, err := memory(m[1:])
	i := mach.Insn{Dst: base, Off: off}
	err = errors.Join(err, operand(&i, m[4]))
	i.Op = mach.Opcode(mach.ClassST) | mach.ModeMEM | size
	if isReg(m[4]) {
		i.Op = mach.Opcode(mach.ClassSTX) | mach.ModeMEM | size
	}
	return i, err
}

func buildAtomic(_ *parser, m []string) (mach.Insn, error) {
	size, base, off, err := memory(m[1:])
	src, _, err2 := parseReg(m[5])
	op := mach.Opcode(mach.ClassSTX) | mach.ModeATOMIC | size
	return mach.Insn{Op: op, Dst: base, Off: off, Src: src, Imm: int64(aluOps[m[4]])}, errors.Join(err, err2)
}

func buildFetch(_ *parser, m []string) (mach.Insn, error) {
	size, base, off, err := memory(m[3:])
	src, _, err2 := parseReg(m[6])
	op := mach.Opcode(mach.ClassSTX) | mach.ModeATOMIC | size
	return mach.Insn{Op: op, Dst: base, Off: off, Src: src, Imm: fetchOps[m[2]] | mach.AtomicFetch}, errors.Join(err, err2)
}
