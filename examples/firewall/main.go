// Firewall drops the packets that come from the given addresses. The longest
// prefix that matches decides; what none matches passes.
//
//	firewall -i eth0 -deny 10.0.0.0/8 -allow 10.1.0.0/16 -deny 2001:db8::/32
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/examples/firewall/kern"
	"github.com/waggle-bpf/waggle/load"
)

//go:generate go run ../../cmd/waggle build ./kern --go zkern.go

func main() {
	device := flag.String("i", "lo", "network interface")
	rules := make(map[packet.Prefix]kern.Rule)
	flag.Func("deny", "drop packets from a `prefix`; may be repeated", adder(rules, kern.Deny))
	flag.Func("allow", "let packets from a `prefix` pass; may be repeated", adder(rules, kern.Allow))
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *device, rules); err != nil {
		fmt.Fprintln(os.Stderr, "firewall:", err)
		os.Exit(1)
	}
}

// adder makes rules of prefixes and addresses.
func adder(rules map[packet.Prefix]kern.Rule, action kern.Action) func(string) error {
	return func(text string) error {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(text)
			if addrErr != nil {
				return err
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		rules[packet.PrefixFrom(prefix)] = kern.Rule{Action: action}
		return nil
	}
}

func run(ctx context.Context, device string, rules map[packet.Prefix]kern.Rule) error {
	if len(rules) == 0 {
		return errors.New("no rules: give -deny PREFIX")
	}
	k, err := LoadKern(load.Options{})
	if err != nil {
		return err
	}
	defer k.Close() // detaches the program, too
	for prefix, rule := range rules {
		if err := k.Rules.Put(prefix, rule); err != nil {
			return err
		}
	}
	if _, err := k.AttachFilter(load.Target{Interfaces: []string{device}}); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "filtering %s by %d rules, Ctrl-C ends it\n", device, len(rules))

	<-ctx.Done()
	for prefix, rule := range k.Rules.All(&err) {
		fmt.Printf("%v %v: %d packets\n", rule.Action, prefix, rule.Packets)
	}
	return err
}
