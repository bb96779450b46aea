package p

type shape interface{ Area() int32 }

type square struct{ side int32 }

func (s square) Area() int32 { return s.side * s.side }

type holder struct{ s shape }

func Param(s shape) int32 { // want "function Param with a parameter or result of interface type shape.*W0301"
	return s.Area()
}

func result(n int32) error { // want "W0301"
	return nil
}

func Result(n int32) bool {
	return result(n) == nil // want "W0301"
}

func Local(n int32) int32 {
	var s shape = square{n} // want "W0301"
	return s.Area()         // want "W0301"
}

func Field(n int32) {
	h := holder{square{n}}
	h.s = nil    // want "W0301"
	_ = any(n)   // want "W0301"
	same[any](n) // want "W0301"
	same("fine")
}

func same[T any](x T) T { return x }

func Variadic(n int32) {
	many(n, n)
}

func many(xs ...any) { // want "W0301"
}

func Assert(n int32) int32 {
	switch any(n).(type) { // want "W0303"
	case int32:
		return 1
	}
	return any(n).(int32) // want "W0302"
}
