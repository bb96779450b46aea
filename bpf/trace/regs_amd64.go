package trace

// Regs is the context of kprobes and uprobes: the registers at the probed
// instruction. The layout is struct pt_regs of arch/x86/include/asm/ptrace.h.
type Regs struct {
	R15, R14, R13, R12 uint64
	BP, BX             uint64
	R11, R10, R9, R8   uint64
	AX, CX, DX, SI, DI uint64
	OrigAX             uint64
	IP, CS             uint64
	Flags              uint64
	SP, SS             uint64
}

// Arg returns integer argument i of the probed function, 0 to 5, at its entry
// (System V ABI); 0 for any other i.
func (r *Regs) Arg(i int) uint64 {
	switch i {
	case 0:
		return r.DI
	case 1:
		return r.SI
	case 2:
		return r.DX
	case 3:
		return r.CX
	case 4:
		return r.R8
	case 5:
		return r.R9
	}
	return 0
}

// SetArg sets what Arg returns, in tests; programs can't change registers.
func (r *Regs) SetArg(i int, v uint64) {
	*[...]*uint64{&r.DI, &r.SI, &r.DX, &r.CX, &r.R8, &r.R9}[i] = v
}

// Ret returns the result of the probed function, in a return probe.
func (r *Regs) Ret() uint64 { return r.AX }

// SetRet sets what Ret returns, in tests.
func (r *Regs) SetRet(v uint64) { r.AX = v }

// PC returns the address of the probed instruction.
func (r *Regs) PC() uint64 { return r.IP }
