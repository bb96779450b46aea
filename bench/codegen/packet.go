package main

import "encoding/binary"

// testPacket is an Ethernet frame with an IPv4 TCP SYN segment that carries
// options and an HTTP response: every twin finds something to do.
func testPacket() []byte {
	payload := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	b := make([]byte, 14+20+24, 14+20+24+len(payload))
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	ip := b[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(20+24+len(payload)))
	copy(ip[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum&0xffff+sum>>16))
	tcp := b[34:]
	binary.BigEndian.PutUint16(tcp, 80)
	binary.BigEndian.PutUint16(tcp[2:], 40000)
	tcp[12], tcp[13] = 6<<4, 0x12
	copy(tcp[20:], []byte{2, 4, 0x05, 0xb4})
	return append(b, payload...)
}
