// Package ir is waggle's intermediate representation: a small SSA form between
// go/ssa, which is close to the source language, and BPF, which is close to the
// verifier. It knows neither Go syntax nor registers.
//
// # Shape
//
// A [Module] holds the functions, maps and global variables of one object. A
// [Func] is a list of [Block], each a list of [Value] plus a terminator. A
// [Value] is an operation with a machine [Type], operands and, depending on its
// [Op], a constant (Int) and a symbol (Aux).
//
// Memory is not in SSA form: operations that read or write memory keep their
// order inside a block. Aggregates have been flattened by the time IR exists:
// what is left of a Go struct or array is either scalars or a [Slot].
//
// # Checks are explicit
//
// go/ssa leaves bounds, nil and division checks implicit. Here they are plain
// control flow: a conditional branch to a block that ends in [TermFault].
// Passes can therefore remove a check like any other branch, and nothing can
// forget one.
//
// # Narrow integers
//
// A value of type I8 or I16 promises its low bits only; the bits above are
// unspecified until [OpZext] or [OpSext] defines them. Pass legalize rewrites
// narrow arithmetic to I32 and I64 before instruction selection.
package ir
