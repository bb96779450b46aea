//go:build !amd64 && !arm64

package trace

// Regs stands in for the registers on machines that waggle has no layout for,
// so that packages with probes build and test there.
type Regs struct {
	args    [8]uint64
	ret, pc uint64
}

// Arg returns integer argument i of the probed function.
func (r *Regs) Arg(i int) uint64 { return r.args[i] }

// SetArg sets what Arg returns, in tests; programs can't change registers.
func (r *Regs) SetArg(i int, v uint64) { r.args[i] = v }

// Ret returns the result of the probed function, in a return probe.
func (r *Regs) Ret() uint64 { return r.ret }

// SetRet sets what Ret returns, in tests.
func (r *Regs) SetRet(v uint64) { r.ret = v }

// PC returns the address of the probed instruction.
func (r *Regs) PC() uint64 { return r.pc }
