// Package mach is BPF code before and after register allocation.
//
// A [Func] is a control-flow graph of [Block]s of [Insn]s. An Insn is one BPF
// instruction (or the 16-byte ldimm64, or the pseudo instruction [LEA]) whose
// registers are physical (R0 to R10) or virtual (from FirstVirtual). Package
// isel makes it with virtual registers, package regalloc replaces them, Layout
// orders the blocks and yields [Code]: a flat list with resolved jumps that
// package object writes out.
//
// # Block ends
//
// A block ends in one of three ways:
//   - its last instruction is a conditional jump: Succs[0] is where it jumps to,
//     Succs[1] where it falls through;
//   - its last instruction is Exit: no successors;
//   - anything else: it goes on at Succs[0]. No jump instruction is written;
//     Layout adds one where the successor doesn't follow.
//
// # Conventions of the machine
//
// From Documentation/bpf/standardization/instruction-set.rst: a call takes its
// arguments in R1 to R5, returns in R0 and leaves R1 to R5 unreadable; R6 to R9
// survive; R10 is the frame pointer, read only. A 32-bit operation clears the
// upper half of its destination.
package mach
