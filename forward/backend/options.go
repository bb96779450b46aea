package backend

import "net/netip"

// Controls calls several controls in a row, up to the first error; it is nil for none.
func Controls(list ...Control) Control {
	var some []Control
	for _, c := range list {
		if c != nil {
			some = append(some, c)
		}
	}
	switch len(some) {
	case 0:
		return nil
	case 1:
		return some[0]
	}
	return func(fd int, to netip.AddrPort) error {
		for _, c := range some {
			if err := c(fd, to); err != nil {
				return err
			}
		}
		return nil
	}
}
