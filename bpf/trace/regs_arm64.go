package trace

// Regs is the context of kprobes and uprobes: the registers at the probed
// instruction. The layout is struct user_pt_regs of
// arch/arm64/include/uapi/asm/ptrace.h.
type Regs struct {
	R      [31]uint64
	SP     uint64
	IP     uint64
	PState uint64
}

// Arg returns integer argument i of the probed function, 0 to 7, at its entry
// (AAPCS64); 0 for any other i.
func (r *Regs) Arg(i int) uint64 {
	switch i {
	case 0:
		return r.R[0]
	case 1:
		return r.R[1]
	case 2:
		return r.R[2]
	case 3:
		return r.R[3]
	case 4:
		return r.R[4]
	case 5:
		return r.R[5]
	case 6:
		return r.R[6]
	case 7:
		return r.R[7]
	}
	return 0
}

// SetArg sets what Arg returns, in tests; programs can't change registers.
func (r *Regs) SetArg(i int, v uint64) { r.R[i] = v }

// Ret returns the result of the probed function, in a return probe.
func (r *Regs) Ret() uint64 { return r.R[0] }

// SetRet sets what Ret returns, in tests.
func (r *Regs) SetRet(v uint64) { r.R[0] = v }

// PC returns the address of the probed instruction.
func (r *Regs) PC() uint64 { return r.IP }
