package head

// preface is what an HTTP/2 client without TLS begins with (RFC 9113 3.4). What
// follows, the host of the first request included, is compressed frames. They are not
// looked at: a client may wait for the server's first frame before it sends a request,
// as those of gRPC do.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

func recogniseHTTP2(_ *Parser, b []byte) answer { return startsWith(b, preface) }

func parseHTTP2(p *Parser, _ []byte) Status { return p.known(len(preface)) }
