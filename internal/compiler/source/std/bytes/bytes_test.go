package bytes

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func randomBytes(r *rand.Rand, n int) []byte {
	s := make([]byte, r.IntN(n))
	for i := range s {
		s[i] = "ab\xff"[r.IntN(3)]
	}
	return s
}

func same(t *testing.T, name string, a, b []byte, got, want any) {
	t.Helper()
	if got != want {
		t.Fatalf("%s(%q, %q) = %v, want %v", name, a, b, got, want)
	}
}

// sub is a slice of another as numbers: nil and positions count.
func sub(of, s []byte) [2]int {
	if s == nil {
		return [2]int{-1, -1}
	}
	return [2]int{cap(of) - cap(s), len(s)}
}

type trimmed struct {
	a, b [2]int
	ok   bool
}

func TestAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		a, b := randomBytes(r, 8), randomBytes(r, 4)
		same(t, "Equal", a, b, Equal(a, b), bytes.Equal(a, b))
		same(t, "Compare", a, b, Compare(a, b), bytes.Compare(a, b))
		same(t, "HasPrefix", a, b, HasPrefix(a, b), bytes.HasPrefix(a, b))
		same(t, "HasSuffix", a, b, HasSuffix(a, b), bytes.HasSuffix(a, b))
		same(t, "IndexByte", a, b, IndexByte(a, 'b'), bytes.IndexByte(a, 'b'))
		same(t, "LastIndexByte", a, b, LastIndexByte(a, 'b'), bytes.LastIndexByte(a, 'b'))
		same(t, "Index", a, b, Index(a, b), bytes.Index(a, b))
		same(t, "Contains", a, b, Contains(a, b), bytes.Contains(a, b))
		same(t, "TrimPrefix", a, b, sub(a, TrimPrefix(a, b)), sub(a, bytes.TrimPrefix(a, b)))
		same(t, "TrimSuffix", a, b, sub(a, TrimSuffix(a, b)), sub(a, bytes.TrimSuffix(a, b)))
		same(t, "CutPrefix", a, b, cut(a, b, CutPrefix), cut(a, b, bytes.CutPrefix))
		same(t, "CutSuffix", a, b, cut(a, b, CutSuffix), cut(a, b, bytes.CutSuffix))

		before, after, ok := Cut(a, b)
		wantBefore, wantAfter, wantOK := bytes.Cut(a, b)
		same(t, "Cut", a, b, trimmed{sub(a, before), sub(a, after), ok}, trimmed{sub(a, wantBefore), sub(a, wantAfter), wantOK})
	}
}

func cut(a, b []byte, f func(s, t []byte) ([]byte, bool)) trimmed {
	rest, ok := f(a, b)
	return trimmed{a: sub(a, rest), ok: ok}
}
