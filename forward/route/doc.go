// Package route decides where a connection goes: an ordered table of rules, of which
// the first that matches counts.
//
//	table, err := route.Compile([]route.Rule{
//		{Name: "api", When: route.Match{SNI: []string{"api.example.org"}}, Target: "api"},
//		{Name: "ssh", When: route.Match{Protocol: []string{"ssh"}}, Target: "bastion"},
//		{Name: "rest", Target: "web"},
//	}, route.Options{})
//	...
//	d := table.Begin(route.Conn{Peer: peer, Local: local})
//	for {
//		decision := d.Decide(route.Input{Bytes: buf[:n], End: end})
//		if decision.Verdict != route.NeedMore {
//			break
//		}
//		// Read more, until a deadline of the caller's or the end of the stream:
//		// then End says so, and the next decision is final.
//	}
//
// A condition is true, false or not known yet, and what it is once, it stays with more
// bytes. A rule whose conditions don't all hold is passed over as soon as one is false;
// a rule of which something is not known yet holds the decision back, those after it
// wait. So the decision depends on the bytes, not on how they were cut into segments,
// and is made with the first segment that allows it.
//
// # Where nothing can be told
//
// A rule that asks for a protocol's head (SNI, ALPN, Host, Method, Path, Headers, the
// text of an SSH banner, a token in one of them, an expression that uses one) rejects a
// connection whose head is of that protocol but malformed, too long or, when it is too
// late for more, incomplete: where readers may disagree about the name that is asked
// for, no rule can be trusted to hold. Rules before it that don't ask decide first.
// A client that has sent nothing, or nothing certain, by the deadline doesn't match
// such rules, and gets to those behind them: protocols in which the server speaks
// first end there.
//
// # Expressions
//
// These are the names an expression may use; what a connection doesn't have is empty.
//
//	sni, host, path, method   strings, normalised as in head.Head
//	alpn                      list of strings
//	headers                   map from names in lower case to values; several of one name are joined by ", "
//	ssh                       the client's banner
//	protocol                  "tls", "http", "h2", "ssh" or "other"; "" for a silent client
//	source                    the client's address, without port
//	port                      the port it connected to
//	bytes                     the first Window bytes, as a string, or fewer if no more came in time
//	cidr(source, "10.0.0.0/8")        whether an address is in a network
//	wildcard(sni, "*.example.org")    whether a name fits a pattern, as in Match.SNI
//
// An expression that goes wrong when it runs (the second of one ALPN protocol) rejects
// the connection.
package route
