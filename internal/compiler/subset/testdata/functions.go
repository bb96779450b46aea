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
	f := func() int32 { return n }
	return f()
}

func Value(n int32) int32 {
	f := t.get
	g := t{n}.get
	h := id[int32]
	return f(t{n}) + g() + h(n)
}

func Fine(n int32) int32 { return t.get(t{n}) + (t{n}).get() + (id[int32])(n) }

func apply(f func(int32) int32, n int32) int32 {
	return f(n)
}

func Apply(n int32) int32 {
	return apply(id[int32], n)
}

type handler struct{ f func(int32) int32 }

func Stored(n int32) int32 {
	h := handler{id[int32]} // want "W0506"
	h.f = id[int32]         // want "W0506"
	return n
}

func Compared(f func()) bool {
	return f == nil // want "W0506"
}

func seq(yield func(int32) bool) {}

func Range(n int32) int32 {
	for i := range seq {
		n += i
	}
	return n
}

func Print(n int32) {
	print(n)   // want "W0507"
	println(n) // want "W0507"
}
