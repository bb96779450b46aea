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

type op func(int32) int32

func Variable(n int32) int32 {
	var f op
	f = func(n int32) int32 { // want "recursive call: function literal that is assigned to variable f, which it uses.*W0503"
		if n == 0 {
			return 1
		}
		return f(n - 1)
	}
	return f(n)
}

func Late(n int32) int32 {
	var f, g, h func() int32
	g = func() int32 { return f() + 1 } // want "variable f is used where no function may have been assigned to it.*W1212"
	f = func() int32 { return n }
	if n > 3 {
		h = f
	}
	return g() + func() int32 { return h() }() // want "variable h is used.*W1212"
}

func InTime(n int32) int32 {
	var f, g func() int32
	f = func() int32 { return n }
	g = func() int32 { return f() + 1 }
	if n > 3 {
		h := f
		n += func() int32 { return h() }()
	}
	return g()
}
