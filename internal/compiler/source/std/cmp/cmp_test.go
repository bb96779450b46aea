package cmp

import (
	"cmp"
	"math"
	"testing"
)

func TestAgainstModel(t *testing.T) {
	values := []int64{math.MinInt64, -2, -1, 0, 1, 2, math.MaxInt64}
	for _, x := range values {
		for _, y := range values {
			if got, want := Compare(x, y), cmp.Compare(x, y); got != want {
				t.Errorf("Compare(%d, %d) = %d, want %d", x, y, got, want)
			}
			if got, want := Compare(uint64(x), uint64(y)), cmp.Compare(uint64(x), uint64(y)); got != want {
				t.Errorf("Compare(%d, %d) = %d, want %d", uint64(x), uint64(y), got, want)
			}
			if got, want := Less(x, y), cmp.Less(x, y); got != want {
				t.Errorf("Less(%d, %d) = %t, want %t", x, y, got, want)
			}
			if got, want := Or(x, 0, y), cmp.Or(x, 0, y); got != want {
				t.Errorf("Or(%d, 0, %d) = %d, want %d", x, y, got, want)
			}
		}
	}
	if got := Or[int](); got != 0 {
		t.Errorf("Or() = %d", got)
	}
}
