package funcs

import "encoding/binary"

// InternetChecksum is the checksum of RFC 1071 over an IPv4 header.
func InternetChecksum(header [20]byte) uint16 {
	var sum uint32
	for i := 0; i < len(header); i += 2 {
		sum += uint32(header[i])<<8 | uint32(header[i+1])
	}
	for range 2 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

func InternetChecksumSlice(data []byte) uint16 {
	var sum uint32
	i := 0
	for ; i+1 < len(data); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(data[i:]))
	}
	if i < len(data) {
		sum += uint32(data[i]) << 8
	}
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	return ^uint16(sum)
}

// UpdateChecksum is the incremental update of RFC 1624, equation 3.
func UpdateChecksum(sum, old, new uint16) uint16 {
	s := uint32(^sum) + uint32(^old) + uint32(new)
	s = s&0xffff + s>>16
	return ^uint16(s + s>>16)
}

func ParityOfWords(words [5]uint32) (parity uint8, ones int) {
	for _, w := range words {
		for range 32 {
			ones += int(w & 1)
			w >>= 1
		}
	}
	return uint8(ones & 1), ones
}

func LuhnValid(digits [16]byte) bool {
	sum := 0
	for i, d := range digits {
		n := int(d - '0')
		if n > 9 {
			return false
		}
		if i%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

func ISBN13Check(digits [12]uint8) uint8 {
	sum := uint(0)
	for i, d := range digits {
		weight := uint(1)
		if i&1 == 1 {
			weight = 3
		}
		sum += uint(d%10) * weight
	}
	return uint8((10 - sum%10) % 10)
}
