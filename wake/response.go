package wake

import (
	"bytes"
	"fmt"
)

// response is what a client that speaks HTTP/1 is told. It does not say why the target
// is not there: that is the operator's business.
func response(request []byte, retryAfter int) []byte {
	const body = "The service is asleep and could not be woken. Please try again later.\n"
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: %d\r\n", retryAfter)
	fmt.Fprintf(&b, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n", len(body))
	b.WriteString("Cache-Control: no-store\r\nConnection: close\r\n\r\n")
	if !bytes.HasPrefix(request, []byte("HEAD ")) {
		b.WriteString(body)
	}
	return b.Bytes()
}
