package funcs

// ParseDecimal reads digits up to the first other byte.
func ParseDecimal(text [12]byte) (n uint32, used int, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			break
		}
		d := uint32(c - '0')
		if n > (1<<32-1-d)/10 {
			return 0, used, false
		}
		n = n*10 + d
		used++
	}
	return n, used, used > 0
}

func ParseSigned(text []byte) (int64, bool) {
	i, neg := 0, false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		neg = text[0] == '-'
		i = 1
	}
	if i == len(text) {
		return 0, false
	}
	var n int64
	for ; i < len(text); i++ {
		c := text[i]
		if c < '0' || '9' < c {
			return n, false
		}
		n = n*10 + int64(c-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}

func hexDigit(c byte) (uint8, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func ParseHex(text [8]byte) (n uint32, digits int) {
	for digits < len(text) {
		d, ok := hexDigit(text[digits])
		if !ok {
			return
		}
		n = n<<4 | uint32(d)
		digits++
	}
	return
}

// ParseIPv4 reads a dotted quad.
func ParseIPv4(text [16]byte) (addr [4]byte, ok bool) {
	part, value, digits := 0, 0, 0
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9':
			value = value*10 + int(c-'0')
			if digits++; value > 255 || digits > 3 {
				return addr, false
			}
		case c == '.' && digits > 0 && part < 3:
			addr[part] = byte(value)
			part++
			value, digits = 0, 0
		default:
			if part == 3 && digits > 0 && i > 0 {
				addr[part] = byte(value)
				return addr, true
			}
			return [4]byte{}, false
		}
	}
	return addr, false
}

// Method is an HTTP method.
type Method uint8

const (
	MethodNone Method = iota
	MethodGet
	MethodHead
	MethodPost
	MethodPut
	MethodDelete
)

func hasPrefix(b []byte, s string) bool {
	if len(b) < len(s) {
		return false
	}
	for i := range len(s) {
		if b[i] != s[i] {
			return false
		}
	}
	return true
}

func HTTPMethod(line [8]byte) (m Method, n int) {
	switch {
	case hasPrefix(line[:], "GET "):
		return MethodGet, 4
	case hasPrefix(line[:], "HEAD "):
		return MethodHead, 5
	case hasPrefix(line[:], "POST "):
		return MethodPost, 5
	case hasPrefix(line[:], "PUT "):
		return MethodPut, 4
	case hasPrefix(line[:], "DELETE "):
		return MethodDelete, 7
	}
	return MethodNone, 0
}

func HTTPMethodCompare(line []byte) Method {
	if len(line) < 4 {
		return MethodNone
	}
	switch string(line[:4]) {
	case "GET ":
		return MethodGet
	case "HEAD":
		return MethodHead
	case "POST":
		return MethodPost
	case "PUT ":
		return MethodPut
	}
	return MethodNone
}

// Varint reads a protobuf varint: n <= 0 means too short or too long.
func Varint(data []byte) (v uint64, n int) {
	var shift uint
	for i, b := range data {
		if i == 10 {
			return 0, -(i + 1)
		}
		if b < 0x80 {
			if i == 9 && b > 1 {
				return 0, -(i + 1)
			}
			return v | uint64(b)<<shift, i + 1
		}
		v |= uint64(b&0x7f) << shift
		shift += 7
	}
	return 0, 0
}

func PutVarint(v uint64) (buf [10]byte, n int) {
	for v >= 0x80 {
		buf[n] = byte(v) | 0x80
		v >>= 7
		n++
	}
	buf[n] = byte(v)
	return buf, n + 1
}

func ZigZag(n int64) (uint64, int64) {
	u := uint64(n<<1) ^ uint64(n>>63)
	return u, int64(u>>1) ^ -int64(u&1)
}

// FormatDecimal writes n in decimal, right-aligned.
func FormatDecimal(n uint32) (text [10]byte) {
	for i := range text {
		text[i] = ' '
	}
	i := len(text)
	for {
		i--
		text[i] = '0' + byte(n%10)
		n /= 10
		if n == 0 {
			return text
		}
	}
}

// CountFields counts the words between blanks.
func CountFields(text []byte) (n int) {
	in := false
	for _, c := range text {
		blank := c == ' ' || c == '\t' || c == '\r' || c == '\n'
		if !blank && !in {
			n++
		}
		in = !blank
	}
	return n
}

func IsUTF8Start(c byte) (size int, valid bool) {
	switch {
	case c < 0x80:
		return 1, true
	case c&0xe0 == 0xc0:
		return 2, c >= 0xc2
	case c&0xf0 == 0xe0:
		return 3, true
	case c&0xf8 == 0xf0:
		return 4, c <= 0xf4
	}
	return 0, false
}

// SkipHeaderName finds a colon behind token characters.
func SkipHeaderName(line []byte) int {
	for i, c := range line {
		switch {
		case c == ':':
			return i
		case c <= ' ' || c >= 0x7f:
			return -1
		}
	}
	return -1
}

// Lower makes letters of a fixed text small in place.
func Lower(text *[9]byte) (changed int) {
	for i, c := range text {
		if 'A' <= c && c <= 'Z' {
			text[i] = c + ('a' - 'A')
			changed++
		}
	}
	return changed
}

const hexDigits = "0123456789abcdef"

// FormatHex indexes a constant string.
func FormatHex(n uint32) (text [8]byte) {
	for i := range text {
		text[7-i] = hexDigits[n>>(4*i)&15]
	}
	return text
}

// PickLetter indexes a constant string with whatever comes.
func PickLetter(i int8) byte { return "waggle dance"[i] }
