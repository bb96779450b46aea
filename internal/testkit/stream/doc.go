// Package stream plays conversations of two byte streams over the ends of a
// connection and judges what arrived: every byte is compared with the one that was
// sent, and each stream has to end as its sender ended it, with FIN or with RST.
// What lies between the two ends is what is tested.
//
//	script := stream.Script{
//		Seed:   1,
//		Client: stream.Side{Size: 1 << 20},
//		Server: stream.Side{Size: 100, Start: stream.AfterEnd},
//	}
//	if err := script.Run(client, server, 10*time.Second); err != nil {
//		t.Error(err) // client to server: at byte 65536 of 1048576 came byte 0 again
//	}
//
// The streams are pseudo-random, and every word of one tells its place: bytes that
// came twice or in the wrong order are recognized as such.
package stream
