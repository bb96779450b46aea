package regalloc_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/compiler/mach/machtest"
	"github.com/waggle-bpf/waggle/internal/compiler/regalloc"
)

// BenchmarkAllocate measures functions of growing size; ns/insn should stay
// about the same.
func BenchmarkAllocate(b *testing.B) {
	for _, stmts := range []int{100, 400, 1600, 6400} {
		for _, vars := range []int{4, 12} {
			shape := machtest.Shape{Vars: vars, Stmts: stmts, Calls: 8, Depth: 2}
			f, _ := random(1, shape)
			insns := 0
			for _, blk := range f.Blocks {
				insns += len(blk.Insns)
			}
			b.Run(fmt.Sprintf("%d vars/%d insns", vars, insns), func(b *testing.B) {
				fs := make([]*mach.Func, b.N)
				for n := range fs {
					fs[n], _ = random(1, shape)
				}
				b.ResetTimer()
				for _, f := range fs {
					if _, err := regalloc.Allocate(f); err != nil && !errors.As(err, new(*regalloc.StackError)) {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*insns), "ns/insn")
			})
		}
	}
}
