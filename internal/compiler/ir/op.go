package ir

// Op is the operation of a value.
type Op uint8

// The operations. "a" and "b" are the operands; Int and Aux are the value's
// fields. Integer operations work at the width of their type and wrap.
const (
	OpInvalid Op = iota

	OpConst      // the integer Int, sign-extended to 64 bits whatever the width; for Ptr only 0
	OpParam      // parameter number Int
	OpPhi        // one operand for each predecessor
	OpCopy       // a; only between passes, or numbered by Int to be a value of its own
	OpUndef      // any bits at all
	OpSlotAddr   // address of Aux *Slot plus Int
	OpGlobalAddr // address of Aux *Global plus Int
	OpMapAddr    // Aux *Map
	OpFuncAddr   // Aux *Func, a callback
	OpMapIndex   // the number of map a in its object, I32

	// Arithmetic on I8 to I64. A shift count is below the width. Int of OpAdd
	// and OpSub may be [Length].
	OpAdd
	OpSub
	OpMul
	OpUDiv // b != 0
	OpUMod // b != 0
	OpSDiv // b != 0
	OpSMod // b != 0
	OpAnd
	OpOr
	OpXor
	OpShl
	OpLShr
	OpAShr
	OpNeg
	OpBswap // swaps the low Int bits (16, 32, 64) of a and zero-extends

	// Conversions between integer types.
	OpZext
	OpSext
	OpTrunc

	// Comparisons yield an I8 that is 0 or 1.
	OpEq
	OpNe
	OpULt
	OpULe
	OpSLt
	OpSLe

	// Pointers.
	OpPtrAdd   // Ptr a plus I64 b
	OpPtrDiff  // Ptr a minus Ptr b, I64; proves nothing to the verifier
	OpPtrToInt // the bits of pointer a, I64
	OpIntToPtr // a pointer from I64 a: kernel addresses, for probe reads only

	// Memory. The address is a plus Int.
	OpLoad     // reads Type from [a+Int]
	OpStore    // writes b to [a+Int]
	OpZero     // clears Size bytes at [a+Int]; Aux int64 size
	OpMove     // copies from [b] to [a]; Int is the size; the two are equal or disjoint
	OpCtxPtr   // a pointer from the 32-bit context field at [a+Int] (data, data_end, data_meta)
	OpVolatile // as OpLoad, but never merged, repeated or moved
	OpAtomic   // Aux AtomicOp on [a+Int] with b (and c for cmpxchg); Type Void drops the old value

	// Calls. Arguments are at most five.
	OpHelper   // BPF helper number Int; Aux *HelperCall
	OpCall     // Aux *Func; results beyond the first by OpResult
	OpResult   // result number Int of call a
	OpTailCall // helper 12 with (ctx a, map b, index c); returns only if it fails

	// OpSpent is true once the kernel has had enough of the loops of this
	// function (may_goto, Linux 6.9). It ends a block and is its control.
	OpSpent

	numOps
)

// Length in Int of an OpAdd or OpSub marks the length of a cut slice: checks in
// front of it have made sure that it is not negative.
const Length = 1

// AtomicOp is the flavour of an OpAtomic.
type AtomicOp uint8

// The atomic operations.
const (
	AtomicAdd AtomicOp = iota
	AtomicAnd
	AtomicOr
	AtomicXor
	AtomicXchg
	AtomicCmpXchg
)

var atomicNames = [...]string{"add", "and", "or", "xor", "xchg", "cmpxchg"}

func (a AtomicOp) String() string { return atomicNames[a] }

// HelperCall carries what passes must know about one call of a BPF helper.
type HelperCall struct {
	Name string
	// InvalidatesPackets: pointers into the packet are dead afterwards.
	InvalidatesPackets bool
	// Pure calls may be dropped when their result is unused: map lookups.
	Pure bool
	// Reads and Writes say, operand by operand, how many bytes of memory the
	// helper touches through it: 0 none, -1 unknown.
	Reads, Writes [5]int64
	// Fills says how many bytes behind each operand the helper overwrites
	// whatever happens.
	Fills [5]int64
	// Acquires: a non-nil result is a reference that ReleaseHelper must give
	// back on every way out. Releases is 1 plus the operand that is given back.
	Acquires      bool
	ReleaseHelper int64
	Releases      int
	// Lock is +1 for a call that takes a lock and -1 for one that drops it.
	Lock int8
}

type opFlags uint8

const (
	flagCommutes opFlags = 1 << iota
	flagReads            // reads memory
	flagWrites           // writes memory or has another effect: never dropped
	flagCompare
)

type opInfo struct {
	name  string
	nargs int // -1: any
	flags opFlags
}

var opTable = [numOps]opInfo{
	OpInvalid:    {"invalid", 0, 0},
	OpConst:      {"const", 0, 0},
	OpParam:      {"param", 0, 0},
	OpPhi:        {"phi", -1, 0},
	OpCopy:       {"copy", 1, 0},
	OpUndef:      {"undef", 0, 0},
	OpSlotAddr:   {"slotaddr", 0, 0},
	OpGlobalAddr: {"globaladdr", 0, 0},
	OpMapAddr:    {"mapaddr", 0, 0},
	OpFuncAddr:   {"funcaddr", 0, 0},
	OpMapIndex:   {"mapindex", 1, 0},
	OpAdd:        {"add", 2, flagCommutes},
	OpSub:        {"sub", 2, 0},
	OpMul:        {"mul", 2, flagCommutes},
	OpUDiv:       {"udiv", 2, 0},
	OpUMod:       {"umod", 2, 0},
	OpSDiv:       {"sdiv", 2, 0},
	OpSMod:       {"smod", 2, 0},
	OpAnd:        {"and", 2, flagCommutes},
	OpOr:         {"or", 2, flagCommutes},
	OpXor:        {"xor", 2, flagCommutes},
	OpShl:        {"shl", 2, 0},
	OpLShr:       {"lshr", 2, 0},
	OpAShr:       {"ashr", 2, 0},
	OpNeg:        {"neg", 1, 0},
	OpBswap:      {"bswap", 1, 0},
	OpZext:       {"zext", 1, 0},
	OpSext:       {"sext", 1, 0},
	OpTrunc:      {"trunc", 1, 0},
	OpEq:         {"eq", 2, flagCommutes | flagCompare},
	OpNe:         {"ne", 2, flagCommutes | flagCompare},
	OpULt:        {"ult", 2, flagCompare},
	OpULe:        {"ule", 2, flagCompare},
	OpSLt:        {"slt", 2, flagCompare},
	OpSLe:        {"sle", 2, flagCompare},
	OpPtrAdd:     {"ptradd", 2, 0},
	OpPtrDiff:    {"ptrdiff", 2, 0},
	OpPtrToInt:   {"ptrtoint", 1, 0},
	OpIntToPtr:   {"inttoptr", 1, 0},
	OpLoad:       {"load", 1, flagReads},
	OpStore:      {"store", 2, flagWrites},
	OpZero:       {"zero", 1, flagWrites},
	OpMove:       {"move", 2, flagReads | flagWrites},
	OpCtxPtr:     {"ctxptr", 1, flagReads},
	OpVolatile:   {"volatile", 1, flagReads | flagWrites},
	OpAtomic:     {"atomic", -1, flagReads | flagWrites},
	OpHelper:     {"helper", -1, flagReads | flagWrites},
	OpCall:       {"call", -1, flagReads | flagWrites},
	OpResult:     {"result", 1, 0},
	OpTailCall:   {"tailcall", 3, flagReads | flagWrites},
	OpSpent:      {"spent", 0, flagReads | flagWrites},
}

func (op Op) String() string { return opTable[op].name }

// IsCommutative reports whether the operands may be swapped.
func (op Op) IsCommutative() bool { return opTable[op].flags&flagCommutes != 0 }

// IsCompare reports whether op is a comparison.
func (op Op) IsCompare() bool { return opTable[op].flags&flagCompare != 0 }

// ReadsMemory reports whether op's result depends on memory.
func (op Op) ReadsMemory() bool { return opTable[op].flags&flagReads != 0 }

// HasEffect reports whether op must stay even when its result is unused.
func (op Op) HasEffect() bool { return opTable[op].flags&flagWrites != 0 }

// IsPure reports whether op depends on its operands only.
func (op Op) IsPure() bool {
	return opTable[op].flags&(flagReads|flagWrites) == 0 && op != OpPhi && op != OpParam && op != OpUndef
}
