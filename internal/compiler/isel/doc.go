// Package isel selects BPF instructions for legal IR (types I32, I64, Ptr).
//
// Selection walks the values in order and folds into an instruction what it
// can express: constants that fit 32 bits, constant offsets of loads and
// stores, stack slots as R10-relative addresses, comparisons as conditional
// jumps. A value that every use folds is never computed.
//
// Values of type I32 may hold anything in the upper half of their register
// unless upperZero says otherwise; widening one emits a 32-bit move only where
// it must.
package isel
