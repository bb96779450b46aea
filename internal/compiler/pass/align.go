package pass

import (
	"math/bits"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// An alignment here is a number that has as many trailing zeros as every address
// it stands for; OR joins two of them. Only that of the stack matters: the
// verifier tracks the stack in aligned words, and takes any address elsewhere.

// frameAlign is what pass frame aligns every slot to.
const frameAlign = 8

// alignParams finds out how the addresses of slots that calls pass are aligned, and
// which parameters are the context. Callers come first, because they may pass on
// what they were passed. Go's own alignment is not enough to know: a [4]byte is
// read as one word.
func alignParams(m *ir.Module) error {
	for _, f := range m.Funcs {
		f.StackAlign = make([]uint64, len(f.Params))
		f.Context = make([]bool, len(f.Params))
		if f.Prog != nil && len(f.Params) > 0 {
			f.Context[0] = true
		}
	}
	for _, f := range callersFirst(m) {
		eachCall(f, func(call *ir.Value) {
			callee := call.Aux.(*ir.Func)
			for i, a := range call.Args {
				if align, stack := stackAlign(a); stack {
					callee.StackAlign[i] |= align
				}
				if a.IsContext() {
					callee.Context[i] = true
				}
			}
		})
	}
	return nil
}

// safeWidth returns the widest access up to size at p+off that the verifier
// takes.
func safeWidth(p *ir.Value, off, size int64) int64 {
	align, stack := stackAlign(p)
	if !stack {
		return size
	}
	n := int64(1) << bits.TrailingZeros64(align|uint64(off)|frameAlign)
	return min(n, size)
}

// stackAlign returns the alignment of p if it may point into the stack.
func stackAlign(p *ir.Value) (align uint64, stack bool) {
	w := alignWalk{seen: map[*ir.Value]bool{}}
	w.pointer(p, 0)
	return w.align, w.stack
}

// alignWalk collects the slots that a pointer may point into.
type alignWalk struct {
	seen  map[*ir.Value]bool // phis
	align uint64
	stack bool
}

// pointer adds p plus something of the given alignment.
func (w *alignWalk) pointer(p *ir.Value, plus uint64) {
	switch p.Op {
	case ir.OpSlotAddr:
		w.add(uint64(p.Int)|frameAlign, plus)
	case ir.OpParam:
		if known := p.Block.Func.StackAlign; p.Int < int64(len(known)) && known[p.Int] != 0 {
			w.add(known[p.Int], plus)
		}
	case ir.OpPtrAdd:
		w.pointer(p.Args[0], plus|valueAlign(p.Args[1], maxAlignDepth))
	case ir.OpCopy:
		w.pointer(p.Args[0], plus)
	case ir.OpPhi:
		if w.seen[p] { // in a loop that moves it on by so much
			w.align |= plus
			return
		}
		w.seen[p] = true
		for _, a := range p.Args {
			w.pointer(a, plus)
		}
	}
}

func (w *alignWalk) add(align, plus uint64) {
	w.align |= align | plus
	w.stack = true
}

// maxAlignDepth bounds how far operands are followed.
const maxAlignDepth = 4

// valueAlign returns a number with as many trailing zeros as v surely has.
func valueAlign(v *ir.Value, depth int) uint64 {
	if depth == 0 {
		return 1
	}
	switch v.Op {
	case ir.OpConst:
		return uint64(v.Int) | frameAlign
	case ir.OpShl:
		if n, ok := isConst(v.Args[1]); ok {
			return valueAlign(v.Args[0], depth-1)<<uint64(n)&(2*frameAlign-1) | frameAlign
		}
	case ir.OpMul, ir.OpAnd:
		if n, ok := isConst(v.Args[1]); ok {
			return uint64(n) | frameAlign
		}
	case ir.OpZext, ir.OpCopy:
		return valueAlign(v.Args[0], depth-1)
	case ir.OpAdd:
		return valueAlign(v.Args[0], depth-1) | valueAlign(v.Args[1], depth-1)
	case ir.OpPhi:
		align := uint64(frameAlign)
		for _, a := range v.Args {
			switch {
			case a == v:
			case a.Op == ir.OpAdd && a.Args[0] == v: // moved on in a loop
				align |= valueAlign(a.Args[1], depth-1)
			default:
				align |= valueAlign(a, depth-1)
			}
		}
		return align
	}
	return 1
}
