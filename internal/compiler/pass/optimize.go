package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// maxRounds bounds the repetition of the optimiser; two or three suffice for
// real programs.
const maxRounds = 12

// optimize repeats the value and branch optimisations until nothing changes.
func optimize(f *ir.Func) { repeat(f, simplifier{}) }

// optimizeLegal is optimize after legalisation: it makes no narrow operations.
func optimizeLegal(f *ir.Func) { repeat(f, simplifier{legal: true}) }

func repeat(f *ir.Func, s simplifier) {
	for range maxRounds {
		boundPhis(f)
		changed := s.run(f)
		changed = commonSubexpressions(f) || changed
		changed = impliedBranches(f, s.legal) || changed
		changed = threadJumps(f) || changed
		clean(f)
		if !changed {
			return
		}
	}
}

// lastClean removes what the last lowering steps left unused.
func lastClean(f *ir.Func) {
	foldAddresses(f)
	commonSubexpressions(f)
	clean(f)
}
