package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// Limits of the kernel's check_max_stack_depth.
const (
	// maxStack is what a program and the functions it calls have together
	// (MAX_BPF_STACK in include/linux/filter.h).
	maxStack = 512
	// maxFrames is how deep calls go (MAX_CALL_FRAMES in
	// include/linux/bpf_verifier.h).
	maxFrames = 8
	// frameUnit is what every frame is rounded up to, an empty one too; Linux
	// since 6.8 rounds less where there is a JIT.
	frameUnit = 32
)

// StackError says that a program needs more stack than there is.
type StackError struct {
	Func *ir.Func
	// Size is what the chain of calls from Func needs, in bytes.
	Size int64
	// Frames is how many functions the chain has, if that is what is too much.
	Frames int
	// Largest are the variables of Func that take most of it.
	Largest []*ir.Slot
}

// newStackError is the error for a frame, or chain of frames, of the given size.
func newStackError(f *ir.Func, size int64) *StackError {
	slots := slices.Clone(f.Slots)
	slices.SortStableFunc(slots, func(a, b *ir.Slot) int { return int(b.Size - a.Size) })
	return &StackError{Func: f, Size: size, Largest: slots[:min(3, len(slots))]}
}

func (e *StackError) Error() string {
	if e.Frames > 0 {
		return fmt.Sprintf("%s calls functions %d deep, the kernel allows %d", e.Func.Name, e.Frames, maxFrames)
	}
	var vars []string
	for _, s := range e.Largest {
		vars = append(vars, fmt.Sprintf("%s %d", s.Name, s.Size))
	}
	msg := fmt.Sprintf("%s needs %d bytes of stack, the kernel gives %d", e.Func.Name, e.Size, maxStack)
	if len(vars) > 0 {
		msg += " (largest: " + strings.Join(vars, ", ") + ")"
	}
	return msg
}

// checkStack refuses programs whose calls need more than there is.
func checkStack(m *ir.Module, frames map[*ir.Func]int64) error {
	c := chains{frames: frames, known: map[*ir.Func]chain{}}
	for _, f := range m.Funcs {
		switch total := c.from(f); {
		case f.Prog == nil:
		case total.size > maxStack:
			return newStackError(f, total.size)
		case total.frames > maxFrames:
			return &StackError{Func: f, Frames: total.frames}
		}
	}
	return nil
}

// chain is what a function and those it calls need at most.
type chain struct {
	size   int64
	frames int
}

type chains struct {
	frames map[*ir.Func]int64
	known  map[*ir.Func]chain
}

// from returns the needs of f and its callees, both maxima apart.
func (c *chains) from(f *ir.Func) chain {
	if known, ok := c.known[f]; ok {
		return known
	}
	var most chain
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			if v.Op == ir.OpCall {
				callee := c.from(v.Aux.(*ir.Func))
				most.size, most.frames = max(most.size, callee.size), max(most.frames, callee.frames)
			}
		}
	}
	own := max(c.frames[f], 1)
	most.size += (own + frameUnit - 1) / frameUnit * frameUnit
	most.frames++
	c.known[f] = most
	return most
}
