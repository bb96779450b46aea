package p

type text string

func Make(b [4]byte, r rune, n int32) int {
	s := string(b[:])        // want "W0601"
	t := text(b[:])          // want "W0601"
	u := string(r)           // want "W0601"
	if string(b[:2]) < "b" { // want "W0605"
		n++
	}
	return len(s) + len(t) + len(u) + len(string(b[:])) // want "W0601"
}

func Concat(n int32) int {
	s := "a"
	s += "b"     // want "W0602"
	t := "x" + s // want "W0602"
	const c = "x" + "y"
	return len(s) + len(t) + len(c)
}

func Slice(n int32) int {
	b := []byte("abc") // want "W0603"
	r := []rune("abc") // want "W0603"
	return len(b) + len(r)
}

func Range(n int32) int32 {
	for i, r := range "abc" { // want "W0604"
		n += int32(i) + r
	}
	for i := range len("abc") {
		n += int32("abc"[i])
	}
	return n
}

func Order(n int32) int32 {
	s, t := "a", "b"
	if s == t || s != "c" || s >= t { // want "W0605"
		n++
	}
	return n + int32(len(max(s, t))) // want "W0605"
}

func Switch(b [4]byte) int32 {
	switch s := "GET"; s {
	case string(b[:3]):
		return 1
	}
	return 0
}
