package load_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/waggle-bpf/waggle/load"
)

// Event is what the program sends.
type Event struct {
	Addr [4]byte
	Port uint16
	_    [2]byte
}

// The whole way of an object: open, set, load, attach, read events and a map,
// and give account of what was lost and of what went wrong.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	obj, err := load.Open("watch.o")
	if err != nil {
		log.Fatal(err)
	}
	if err := obj.Set("port", 80); err != nil {
		log.Fatal(err)
	}
	h, err := obj.Load(load.Options{})
	if err != nil {
		var refused *load.VerifierError
		if errors.As(err, &refused) {
			fmt.Println(refused.Log)
		}
		log.Fatal(err)
	}
	defer h.Close()

	// The reader before the program, so that nothing is missed.
	events, err := load.Events[Event](h, "events", load.StreamOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer events.Close()
	if _, err := h.AttachAll(load.Targets{Target: load.Target{Interfaces: []string{"lo"}}}); err != nil {
		log.Fatal(err)
	}
	for e := range events.All(ctx) {
		fmt.Println(e.Addr, e.Port)
	}
	if err := events.Err(); err != nil {
		log.Fatal(err)
	}

	stats, err := events.Stats()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats.Received, "events,", stats.Lost(), "lost")
	faults, err := h.Faults()
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range faults {
		fmt.Printf("%v, %d times\n", f, f.Count)
	}
}

// Typed access to a map: the key is a struct that both sides share.
func ExampleMapOf() {
	var h *load.Handle // from Object.Load
	type flow struct {
		Addr uint32
		Port uint16
	}
	flows, err := load.MapOf[flow, uint64](h, "flows")
	if err != nil {
		log.Fatal(err)
	}
	for k, n := range flows.All(&err) {
		fmt.Println(k.Addr, k.Port, n)
	}
	if err != nil {
		log.Fatal(err)
	}
}
