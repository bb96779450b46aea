package object

import (
	"bytes"
	"encoding/binary"
	"go/token"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// Fields of struct btf_header and struct btf_ext_header, from
// Documentation/bpf/btf.rst.
const (
	btfMagic       = 0xeb9f
	btfVersion     = 1
	btfStrLenField = 20 // offset of str_len
	extHeaderSize  = 32 // with core_relo_off and core_relo_len
)

// btfBlob is an encoded .BTF section to whose string table, the last part of
// it, more strings can be added: .BTF.ext refers to it.
type btfBlob struct {
	data    []byte
	strings int // where the string table starts
	offsets map[string]uint32
}

func newBTFBlob(data []byte) *btfBlob {
	size := int(binary.LittleEndian.Uint32(data[btfStrLenField:]))
	b := &btfBlob{data: data, strings: len(data) - size, offsets: make(map[string]uint32)}
	off := 0
	for _, s := range bytes.SplitAfter(data[b.strings:], []byte{0}) {
		if len(s) > 0 {
			b.offsets[string(s[:len(s)-1])] = uint32(off)
			off += len(s)
		}
	}
	return b
}

// add returns the offset of s in the string table.
func (b *btfBlob) add(s string) uint32 {
	if off, ok := b.offsets[s]; ok {
		return off
	}
	off := uint32(len(b.data) - b.strings)
	b.offsets[s] = off
	b.data = append(append(b.data, s...), 0)
	binary.LittleEndian.PutUint32(b.data[btfStrLenField:], uint32(len(b.data)-b.strings))
	return off
}

// A record of .BTF.ext. The first word is always an instruction's offset in its
// section, in bytes.
type (
	funcRecord [2]uint32 // offset, type
	lineRecord [4]uint32 // offset, file name, text, line<<10 | column
	coreRecord [4]uint32 // offset, type, access string, kind
)

// infoTable is one of the three parts of .BTF.ext: records of R by section.
type infoTable[R any] struct {
	blocks []infoBlock[R]
}

type infoBlock[R any] struct {
	section uint32 // name
	records []R
}

// add appends the records of one section; none make no block, as loaders refuse
// empty ones.
func (t *infoTable[R]) add(section uint32, records []R) {
	if len(records) > 0 {
		t.blocks = append(t.blocks, infoBlock[R]{section, records})
	}
}

// encode writes the table: the record size, then per section its name, the
// number of records and the records. An empty table is empty.
func (t *infoTable[R]) encode() []byte {
	if len(t.blocks) == 0 {
		return nil
	}
	var zero R
	out := mustAppend(nil, uint32(binary.Size(zero)))
	for _, b := range t.blocks {
		out = mustAppend(out, [2]uint32{b.section, uint32(len(b.records))})
		out = mustAppend(out, b.records)
	}
	return out
}

// encodeExt puts .BTF.ext together.
func encodeExt(funcs, lines, core []byte) []byte {
	var out []byte
	out = mustAppend(out, uint16(btfMagic))
	out = append(out, btfVersion, 0)
	out = mustAppend(out, uint32(extHeaderSize))
	off := uint32(0)
	for _, part := range [][]byte{funcs, lines, core} {
		out = mustAppend(out, [2]uint32{off, uint32(len(part))})
		off += uint32(len(part))
	}
	out = append(out, funcs...)
	out = append(out, lines...)
	return append(out, core...)
}

// extInfo builds .BTF.ext for the placed code; ids are the functions' types.
func (w *writer) extInfo(blob *btfBlob, ids map[*placedFunc]btf.TypeID) []byte {
	var funcs infoTable[funcRecord]
	var lines infoTable[lineRecord]
	var core infoTable[coreRecord]
	for _, s := range w.code {
		name := blob.add(s.elf.name)
		var fs []funcRecord
		var ls []lineRecord
		for _, f := range s.funcs {
			fs = append(fs, funcRecord{uint32(f.off), uint32(ids[f])})
			ls = append(ls, w.lineRecords(blob, f)...)
		}
		funcs.add(name, fs)
		lines.add(name, ls)
	}
	return encodeExt(funcs.encode(), lines.encode(), core.encode())
}

// lineRecords returns f's line info: one record where the position changes, and
// one for the first instruction, which the kernel demands.
func (w *writer) lineRecords(blob *btfBlob, f *placedFunc) []lineRecord {
	var recs []lineRecord
	var last token.Position
	off := f.off
	for i := range f.Insns {
		pos := w.lines.position(f.Insns[i].Pos)
		if i == 0 && !pos.IsValid() {
			pos = w.lines.position(f.Func.Pos)
		}
		if i == 0 || pos.IsValid() && pos != last {
			recs = append(recs, w.lines.record(blob, off, pos))
			last = pos
		}
		off += int64(f.Insns[i].Slots()) * insnSize
	}
	return recs
}

// lineSource turns positions into what line info says about them.
type lineSource struct {
	fset *token.FileSet
	dir  string
	text func(file string, line int) string // may be nil
}

// position resolves pos; the zero Position if it is unknown.
func (l *lineSource) position(pos token.Pos) token.Position {
	if l.fset == nil || !pos.IsValid() {
		return token.Position{}
	}
	p := l.fset.Position(pos)
	p.Offset = 0
	return p
}

// Limits of line_col.
const (
	lineShift = 10
	maxLine   = 1<<(32-lineShift) - 1
	maxCol    = 1<<lineShift - 1
)

// record encodes p. What doesn't fit is 0, unknown.
func (l *lineSource) record(blob *btfBlob, off int64, p token.Position) lineRecord {
	if !p.IsValid() {
		return lineRecord{uint32(off), blob.add("<generated>")}
	}
	line, col := p.Line, p.Column
	if line > maxLine {
		line = 0
	}
	if col > maxCol {
		col = 0
	}
	var text string
	if l.text != nil {
		text = strings.TrimSpace(l.text(p.Filename, p.Line))
	}
	return lineRecord{uint32(off), blob.add(clean(l.fileName(p.Filename))), blob.add(clean(text)), uint32(line<<lineShift | col)}
}

// fileName is what a file is called in line info and fault sites: its path from
// the package's directory if it is below it, else its directory's and its own
// name. So objects don't depend on where sources lie.
func (l *lineSource) fileName(name string) string {
	if l.dir != "" {
		if rel, err := filepath.Rel(l.dir, name); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	if !filepath.IsAbs(name) {
		return filepath.ToSlash(filepath.Clean(name))
	}
	dir, base := filepath.Split(name)
	return strings.TrimPrefix(filepath.ToSlash(filepath.Join(filepath.Base(dir), base)), "/")
}

// clean drops NUL bytes, which would end a string early.
func clean(s string) string { return strings.ReplaceAll(s, "\x00", "") }
