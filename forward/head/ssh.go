package head

import "bytes"

// maxBanner is the longest identification line, its end included (RFC 4253 4.2).
const maxBanner = 255

// A server may send other lines before its banner, a client may not.
func recogniseSSH(_ *Parser, b []byte) answer { return startsWith(b, "SSH-") }

func parseSSH(p *Parser, b []byte) Status {
	end := bytes.IndexByte(b[p.scan:min(len(b), maxBanner)], '\n')
	switch {
	case end < 0 && len(b) >= maxBanner:
		return p.malformed("ssh banner longer than 255 bytes")
	case end < 0:
		p.scan = len(b)
		return More
	}
	end += p.scan
	line := bytes.TrimSuffix(b[:end], []byte("\r"))
	if reason := checkBanner(line); reason != "" {
		return p.malformed(reason)
	}
	p.head.Banner = string(line)
	return p.known(end + 1)
}

// checkBanner checks SSH-protoversion-softwareversion SP comments.
func checkBanner(line []byte) string {
	for _, c := range line {
		if c < ' ' || c == 0x7f {
			return "control character in the ssh banner"
		}
	}
	version, software, ok := bytes.Cut(line[len("SSH-"):], []byte("-"))
	if !ok || len(version) == 0 {
		return "ssh banner without a version"
	}
	for _, c := range version {
		if c != '.' && (c < '0' || c > '9') {
			return "ssh banner without a version"
		}
	}
	if len(software) == 0 || software[0] == ' ' {
		return "ssh banner without a software version"
	}
	return ""
}
