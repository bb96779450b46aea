package load

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Pos is a source position.
type Pos struct {
	File      string
	Line, Col int // from 1; 0 if unknown
}

// String gives "file:line:col", without what is unknown.
func (p Pos) String() string {
	switch {
	case p.File == "":
		return "-"
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// VerifierError is a program that the kernel's verifier refused.
type VerifierError struct {
	// Program is the function's name.
	Program string
	// Pos is the source line the verifier had reached, or the one its message
	// is about. Zero if the object has no line information.
	Pos Pos
	// Sentence says in plain words what is wrong.
	Sentence string
	// Hint says what to do; may be empty.
	Hint string
	// Message is the kernel's own message, its last lines joined by "; ".
	Message string
	// Log is the verifier's log, line by line. On programs that are too
	// complex it is only its end.
	Log []string
	// Err is the cause, a *ebpf.VerifierError.
	Err error
}

// Error is one line: position, sentence, hint.
func (e *VerifierError) Error() string {
	var b strings.Builder
	if e.Pos.File != "" {
		fmt.Fprintf(&b, "%v: ", e.Pos)
	}
	fmt.Fprintf(&b, "program %s: %s", e.Program, e.Sentence)
	if e.Hint != "" {
		fmt.Fprintf(&b, " (%s)", e.Hint)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *VerifierError) Unwrap() error { return e.Err }

func newVerifierError(p *ebpf.ProgramSpec, cause *ebpf.VerifierError) *VerifierError {
	log := parseLog(cause.Log)
	e := &VerifierError{
		Program: p.Name,
		Message: strings.Join(log.message, "; "),
		Log:     cause.Log,
		Err:     cause,
	}
	insn := log.insn
	if m := explainMessage(log.message); m != nil {
		e.Sentence, e.Hint = m.sentence, m.hint
		if m.insn >= 0 {
			insn = m.insn
		}
	} else {
		e.Sentence = "the verifier refuses it: " + e.Message
	}
	e.Pos = sourceOf(p, insn)
	if e.Pos.File == "" {
		e.Pos = log.comment
	}
	return e
}

// verifierLog is what the end of a log tells.
type verifierLog struct {
	message []string // the verifier's last words, oldest first
	insn    int      // the instruction it had reached; -1 if none
	comment Pos      // from the last "; text @ file:line", on Linux 6.9 and later
}

var (
	insnLine    = regexp.MustCompile(`^(\d+): \([0-9a-f]{2}\) `)
	stateLine   = regexp.MustCompile(`^(\d+: )?(R\d+=|R\d+_w=|frame\d+:|from \d+ to |caller:|callee:|returning from callee|to caller at|(cur|old) state:|parent didn't have|last_idx|first_idx|mark_precise:|regs=|propagating|\d+: safe$)`)
	statsLine   = regexp.MustCompile(`^(processed \d+ insns|verification time \d|stack depth \d|Func#\d+ is safe|insns? processed)`)
	commentLine = regexp.MustCompile(`^; .* @ (\S+):(\d+)$`)
)

// parseLog reads a log backwards from its end: statistics, then the message,
// then the instruction it is about.
func parseLog(lines []string) verifierLog {
	log := verifierLog{insn: -1}
	for i := len(lines) - 1; i >= 0; i-- {
		line := strings.TrimSpace(lines[i])
		if m := insnLine.FindStringSubmatch(line); m != nil {
			log.insn, _ = strconv.Atoi(m[1])
			log.comment = lastComment(lines[:i])
			break
		}
		switch {
		case line == "" || statsLine.MatchString(line) || stateLine.MatchString(line) || strings.HasPrefix(line, ";"):
			// Between the message and the instruction, or below both.
		default:
			log.message = append([]string{line}, log.message...)
		}
	}
	return log
}

func lastComment(lines []string) Pos {
	for i := len(lines) - 1; i >= 0; i-- {
		if m := commentLine.FindStringSubmatch(lines[i]); m != nil && m[2] != "0" {
			n, _ := strconv.Atoi(m[2])
			return Pos{File: m[1], Line: n}
		}
	}
	return Pos{}
}

// sourceOf finds the source position of the instruction slot with the given
// index: that of the nearest instruction at or before it that has one.
func sourceOf(p *ebpf.ProgramSpec, slot int) Pos {
	var pos Pos
	for it := p.Instructions.Iterate(); it.Next(); {
		if slot >= 0 && int(it.Offset) > slot {
			break
		}
		// Line 0 marks code that belongs to no line of its own.
		if line, ok := it.Ins.Source().(*btf.Line); ok && line.LineNumber() != 0 {
			pos = Pos{File: line.FileName(), Line: int(line.LineNumber()), Col: int(line.LineColumn())}
		}
		if slot < 0 && pos.File != "" {
			break // no instruction known: where the program begins
		}
	}
	return pos
}
