// Package lower translates go/ssa into package ir.
//
// Three things that go/ssa leaves to its reader become explicit here:
//
//   - Aggregates. A small struct or array value becomes a list of scalar
//     leaves (a rep); a large one becomes the address of a stack copy that
//     nothing writes again.
//   - Checks. Every place where Go would panic becomes a branch to a fault.
//   - Library calls. A function with a directive becomes a helper call or an
//     intrinsic; see ARCHITECTURE.md for the contract.
//
// Functions are lowered once for each combination of slice kinds they are
// called with, because a packet slice and a plain slice are different things to
// the verifier.
package lower
