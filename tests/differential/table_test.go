package differential

import . "github.com/waggle-bpf/waggle/tests/differential/funcs"

// functions are the native functions of package funcs.
var functions = []any{
	// arithmetic.go
	DivMod8, DivMod16, DivMod32, DivMod64, DivModU8, DivModU16, DivModU32, DivModU64, QuotientUsed8,
	QuotientUsed16, Basics8, Basics16, Basics32, Basics64, Compare8, CompareU8, Compare16, CompareU16,
	Compare32, CompareU32, Compare64, CompareU64, Wrap8, Wrap16, Wrap32, Unary, UnaryWide, ConstDivisors,
	ConstDivisors8, ConstDivisors64, Abs, FloorMod, GCD, IntSqrt, PowMod, SaturatingAdd, AverageNoOverflow,
	IncDec, MinMax, Clamp,
	// arrays.go
	ArrayCopy, ArrayEqual, ArrayEqualLarge, IndexAny, IndexUnsigned, StoreAny, IndexBytes, Matrix, Matrix3,
	Histogram, PrefixSums, WindowMax, Sieve, Rotate, ZeroValues, ArrayOfArraysCopy, ArrayLiteral,
	PackedArrays, ArrayPhi, ArrayPhiLoop, LargePhi, LargePhiLoop, LargeResults, DotProduct, Transpose,
	FindByte, RunLength,
	// bounds.go
	IndexShifted, IndexModulo, IndexQuotient, LoopSlice, SliceOfChoice, CopyOneFrom,
	// calls.go
	CallSimple, CallMultiple, CallFault, CallDivide, CallDeep, CallPointer, CallStruct, CallNothing,
	CallSlice, CallInlinedSlice, CallSliceOf, CallArray, CallBool, CallNarrow, CallLarge, CallInLoop,
	CallInCondition, ManyParams, PressureInts, PressureLoop,
	// checksums.go
	InternetChecksum, InternetChecksumSlice, UpdateChecksum, ParityOfWords, LuhnValid, ISBN13Check,
	// closures.go
	ClosureCounter, ClosureLoopVariable, ClosureArgument, ClosureReduce, FunctionValue, RangeOverFunc, RangeOverFuncReturn,
	FaultInClosure,
	// conversions.go
	FromInt8, FromUint8, FromInt16, FromUint16, FromInt32, FromUint32, FromInt64, FromUint64, ThereAndBack,
	NarrowSums, NarrowCompare, NamedTypes, BoolToInt, UintptrMath,
	// faults.go
	FaultExplicit, FaultOrder, FaultAfterStore, FaultInLoop, FaultInCondition, FaultInlined, FaultShift,
	FaultNilField, FaultUnused, FaultSliceBounds, FaultConvert,
	// globals.go
	GlobalTable, GlobalMatrix, GlobalOptions, GlobalOptionPointer, GlobalScratch, GlobalStruct, GlobalScalars,
	GlobalAcrossCall, GlobalSlice,
	// hashes.go
	FNV1a32, FNV1a64, MurmurFinal32, MurmurFinal64, JenkinsMix, JenkinsOneAtATime, SipHash24, CRC32Bitwise,
	CRC32Table, XXHashLike, Adler32, Fletcher16, XorShift, Pearson,
	// library.go
	BitCounts, BitLens, BitReverse, ByteReverse, ByteReverseTwice, Rotations, WideArithmetic, WideDivision,
	BigEndian, LittleEndian, BytesFunctions, SlicesFunctions, SlicesMinMax, SlicesReverse, Cmp, Limits,
	// logic.go
	ShortCircuit, EvaluationOrder, ParallelAssign, Logic, BoolArray, Switch, SwitchTrue, Goto, Labels,
	RangeForms, RangeCopies, RangeUint, CountDown, CountDownSigned, NarrowCounter, CounterFromAbove,
	Fibonacci, Collatz, NamedResults, Shadow,
	// order.go
	OrderRet, OrderArr, OrderAdd, OrderArg, OrderCmp, OrderAsg, OrderOpAsg, OrderIdxAsg, OrderIdxOp,
	OrderElemOp, OrderElemAdd, OrderFld, OrderRecv, OrderStructArg, OrderStructLit, OrderStructRet,
	OrderGlob, OrderGlobAdd, OrderGlobAdd2, OrderPtr, OrderPtr2, OrderSwapIdx, OrderRangeMod, OrderSl,
	OrderSlVar, OrderIdxVar, OrderIdxVar2, OrderShift, OrderIf, OrderSwitchTag, OrderConv, OrderNeg,
	OrderParen, OrderPtrl, OrderMulti, OrderNamedRet, OrderNamedRet2, OrderDiv, OrderCursor, OrderLogic,
	OrderFor, OrderSwitch, OrderRange, OrderDeclare, OrderTuple, OrderSlices, OrderLabels, OrderGeneric,
	OrderFaultIndex, OrderFaultNil, OrderFaultOp, OrderFaultBoth, OrderFaultCall,
	// parsers.go
	ParseDecimal, ParseSigned, ParseHex, ParseIPv4, HTTPMethod, HTTPMethodCompare, Varint, PutVarint, ZigZag,
	FormatDecimal, CountFields, IsUTF8Start, SkipHeaderName, Lower, FormatHex, PickLetter,
	// shifts.go
	Shift8, ShiftU8, Shift16, ShiftU16, Shift32, ShiftU32, Shift64, ShiftU64, SignedShift8, SignedShift32,
	SignedShift64, MaskedShift, ShiftConst, ShiftConstTooFar, ShiftOfOne, ShiftBool, NarrowThenShift,
	Interleave, SignExtendBits, RotateByHand, ShiftOfShift, ShiftByShift, ShiftOfComparison,
	// slices.go
	SliceSum, SliceIndex, SliceStore, SliceTwo, SliceOpen, SliceThree, SliceArray, SliceArrayConst,
	SliceBeyondLength, SliceAliasing, CopyFull, CopyWords, CopyOverlapUp, CopyOverlapDown, CopyOverlapSame,
	CopyConst, CopyString, CopyStructs, ClearSlice, ClearArray, SliceToArray, NilSlice, SliceParam,
	SubsliceReturned, SliceOfStructs, SliceInStruct, EqualSlices, StringCompare, SliceOfSlice, WindowSums,
	TrimBoth, NextToken, ChosenSlice, SliceHalves, CopyWithin, CompareTails, ReverseRange, SlicePointers,
	StructBytes, ThreeIndexLoop,
	// sorting.go
	InsertionSort, SelectionSort, BubbleSort, SortFour, SortFourWide, BinarySearch, BinarySearchSlice,
	Partition, Median, ReverseInPlace, SortRecords,
	// structs.go
	StructMethods, StructCopy, StructCompare, StructPointers, Embedding, NestedCompare, PointersToLocals,
	PointerToElement, PointerPointer, PointerCompare, NilPointer, NilChecked, SwapThrough, LargeByValue,
	LargeModify, HugeThroughMemory, HugeByValue, GenericPair, GenericStack, GenericSum, AnonymousStruct,
	EmptyStruct, ReturnStruct, StructArray, StructArrayPointer,
}
