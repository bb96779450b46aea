package p

type set map[int32]bool

func Append(n int32) int {
	var s []int32
	s = append(s, n) // want "append in kernel code; use an array and a length .W0201."
	return len(s)
}

func Make(n int32) int {
	s := make([]byte, n)       // want "W0202"
	t := make([]byte, 1, n)    // want "W0202"
	u := make(set)             // want "W0203"
	m := map[int32]int32{1: 2} // want "W0203"
	delete(m, n)               // want "W0203"
	return len(s) + len(t) +
		len(u) // want "W0203"
}

func Range(m set) (n int32) { // want "W0203"
	for k := range m { // want "W0203"
		n += k
	}
	return n
}
