package slices

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func randomSlice(r *rand.Rand) []int8 {
	s := make([]int8, r.IntN(9))
	for i := range s {
		s[i] = int8(r.IntN(7) - 3)
	}
	return s
}

func same[T comparable](t *testing.T, name string, args any, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s%v = %v, want %v", name, args, got, want)
	}
}

func TestAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		a, b, v := randomSlice(r), randomSlice(r), int8(r.IntN(9)-4)
		args := []any{a, b, v}
		same(t, "Equal", args, Equal(a, b), slices.Equal(a, b))
		same(t, "Compare", args, Compare(a, b), slices.Compare(a, b))
		same(t, "Index", args, Index(a, v), slices.Index(a, v))
		same(t, "Contains", args, Contains(a, v), slices.Contains(a, v))
		same(t, "IsSorted", args, IsSorted(a), slices.IsSorted(a))
		same(t, "Min", args, orPanic(Min[[]int8], a), orPanic(slices.Min[[]int8], a))
		same(t, "Max", args, orPanic(Max[[]int8], a), orPanic(slices.Max[[]int8], a))

		got, want := slices.Clone(a), slices.Clone(a)
		Reverse(got)
		slices.Reverse(want)
		same(t, "Reverse", args, slices.Equal(got, want), true)
		Sort(got)
		slices.Sort(want)
		same(t, "Sort", args, slices.Equal(got, want), true)

		i, found := BinarySearch(got, v)
		wantI, wantFound := slices.BinarySearch(want, v)
		same(t, "BinarySearch", args, i, wantI)
		same(t, "BinarySearch", args, found, wantFound)
	}
}

// orPanic makes a panic a value.
func orPanic(f func([]int8) int8, s []int8) (n int) {
	defer func() {
		if recover() != nil {
			n = 1000
		}
	}()
	return int(f(s))
}
