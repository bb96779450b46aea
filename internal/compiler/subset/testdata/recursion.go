package p

func Direct(n int32) int32 {
	if n <= 0 {
		return 0
	}
	return Direct(n-1) + 1 // want "recursive call: Direct -> Direct; write a loop with a bound .W0503."
}

func even(n int32) bool { return n == 0 || odd(n-1) }
func odd(n int32) bool  { return n != 0 && even(n-1) } // want "recursive call: even -> odd -> even.*W0503"

func Mutual(n int32) bool { return even(n) }

type walker interface{ walk(n int32) int32 }

type a struct{}

func (a) walk(n int32) int32 { return step(a{}, n) }

func step[T walker](w T, n int32) int32 {
	return w.walk(n - 1) // want "recursive call: walk -> step\\[.*\\] -> walk.*W0503"
}

func Constraint(n int32) int32 { return a{}.walk(n) }

type outer struct{ inner }

type inner struct{}

func (outer) walk(n int32) int32 { return step2(inner{}, n) }
func (inner) walk(n int32) int32 { return n }

func step2[T walker](w T, n int32) int32 { return w.walk(n - 1) }

func NotRecursive(n int32) int32 { return step2(outer{}, n) }

func external(n int32) int32

func External(n int32) int32 {
	return external(n) // want "call of external, which has no body.*W0508"
}
