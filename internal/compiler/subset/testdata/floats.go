package p

type vec struct {
	x, y float32
	n    int32
}

func Float(n int32) int32 {
	f := 1.5          // want "W0401"
	f *= float64(n)   // want "W0401"
	return int32(f) + // want "W0401"
		int32(1.5*4)
}

func Param(f float32) bool { // want "W0401"
	return f > 0 // want "W0401"
}

func Result(n int32) float64 { // want "W0401"
	return 1.5
}

func Results() (int32, float32) { // want "W0401"
	return 1, 2
}

func Unnamed(float64) int32 { // want "W0401"
	return 1
}

func Named() (f float32) { // want "W0401"
	return
}

func Struct(a, b vec) bool {
	return a.n == b.n &&
		a == b // want "comparison of vec, which holds floating-point numbers.*W0401"
}

func Generic(n int32) int32 {
	double(n)
	return int32(double(1.5)) // want "W0401"
}

func double[T int32 | float64](x T) T { return x + x }

func Complex(n int32) int32 {
	c := complex(1, 2)    // want "W0402"
	return int32(real(c)) // want "W0401"
}

var z, zero = complex(1, 2), complex64(3) // want "W0402"

func ComplexVariables() (n int32) {
	z = 3                 // want "W0402"
	if real(zero) == -1 { // want "W0401"
		n++
	}
	return n
}
