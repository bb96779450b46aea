package math

import "math"

// Each line compiles only if the constants are equal.
var (
	_ = [1]int{}[MaxInt-math.MaxInt]
	_ = [1]int{}[MinInt-math.MinInt]
	_ = [1]int{}[MaxInt8-math.MaxInt8]
	_ = [1]int{}[MinInt8-math.MinInt8]
	_ = [1]int{}[MaxInt16-math.MaxInt16]
	_ = [1]int{}[MinInt16-math.MinInt16]
	_ = [1]int{}[MaxInt32-math.MaxInt32]
	_ = [1]int{}[MinInt32-math.MinInt32]
	_ = [1]int{}[MaxInt64-math.MaxInt64]
	_ = [1]int{}[MinInt64-math.MinInt64]
	_ = [1]int{}[MaxUint-math.MaxUint]
	_ = [1]int{}[MaxUint8-math.MaxUint8]
	_ = [1]int{}[MaxUint16-math.MaxUint16]
	_ = [1]int{}[MaxUint32-math.MaxUint32]
	_ = [1]int{}[MaxUint64-math.MaxUint64]
)
