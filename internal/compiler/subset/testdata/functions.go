package p

type t struct{ n int32 }

func (x t) get() int32 { return x.n }

func id[T any](x T) T { return x }

func Defer() {
	defer id(1) // want "W0501"
}

func Recover() {
	recover() // want "W0502"
}

func Literal(n int32) int32 {
	f := func() int32 { return n } // want "W0504"
	return f()                     // want "W0506"
}

func Value(n int32) int32 {
	f := t.get                  // want "W0506"
	g := t{n}.get               // want "W0506"
	h := id[int32]              // want "W0506"
	return f(t{n}) + g() + h(n) // want "W0506"
}

func Fine(n int32) int32 { return t.get(t{n}) + (t{n}).get() + (id[int32])(n) }

func apply(f func(int32) int32, n int32) int32 {
	return f(n) // want "W0506"
}

func Apply(n int32) int32 {
	return apply(id[int32], n) // want "W0506"
}

func seq(yield func(int32) bool) {}

func Range(n int32) int32 {
	for i := range seq { // want "W0505"
		n += i
	}
	return n
}

func Print(n int32) {
	print(n)   // want "W0507"
	println(n) // want "W0507"
}
