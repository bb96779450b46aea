// Package pass transforms IR: from what lower made of the source to what isel
// can select. The pipeline is the list in pass.go; each pass is a file.
//
// Three optimisations that compilers like are forbidden here, because the
// verifier can't follow them (llvm's BPFAdjustOpt.cpp undoes the same three):
//
//   - a comparison of a truncated value is not turned into a mask test;
//   - two comparisons of one value are not merged into one;
//   - no address computation or access moves above the check that guards it.
//
// A check is removed only by reasoning that the verifier does too: a dominating
// comparison of the same value, a constant, a mask, a width.
package pass
