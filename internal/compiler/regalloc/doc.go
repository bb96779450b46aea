// Package regalloc gives virtual registers physical ones.
//
// The core is iterated register coalescing: colour the interference graph of
// live ranges with the ten registers R0 to R9, merging the two sides of moves
// while that cannot make the graph harder to colour (George and Appel, Iterated
// Register Coalescing, TOPLAS 1996; conservative tests by Briggs and by George;
// optimistic colouring after Briggs, Cooper and Torczon, Improvements to Graph
// Coloring Register Allocation, TOPLAS 1994). A call is a write to R0 to R5, so
// what lives across calls ends up in R6 to R9 or in memory.
//
// # Spilling
//
// A live range that gets no register is cut in steps, the graph being coloured
// anew after each:
//
//   - at calls: it moves to another register before the first call that it lives
//     across, if one strategy or other wants it so;
//   - between calls: it keeps its register from one call to the next, is stored
//     behind its definitions or before the calls, whatever costs less, and comes
//     back before the first use behind a call, outside of loops where possible
//     (partial redundancy elimination of the reloads; the idea of spilling around
//     calls is Callahan and Koblenz, Register Allocation via Hierarchical Graph
//     Coloring, PLDI 1991);
//   - within blocks: it is reloaded once per block and kept as long as registers
//     are free, and stored only when it has to leave its register;
//   - at each use.
//
// Constants and addresses are computed again instead of stored and reloaded
// (Briggs, Cooper and Torczon, Rematerialization, PLDI 1992). Which live range is
// cut is decided by its cost, estimated from exactly the loads and stores the
// first step would insert, weighted by loop depth, over its degree; if something
// is spilled at all, several such formulas are tried and the cheapest result is
// taken (Bernstein et al., Spill Code Minimization Techniques for Optimizing
// Compilers, PLDI 1989).
//
// # The verifier
//
// Spill slots are whole, 8-byte aligned words written and read by 64-bit stores
// and loads through R10, because the verifier keeps what it knows of a register
// only in such slots. Slots whose contents never live at the same time share a
// place.
package regalloc
