package httpwatch

import (
	"errors"
	"slices"
	"testing"
)

func TestInterfaces(t *testing.T) {
	all, err := interfaces()
	if err != nil {
		t.Fatal(err)
	}
	isLo := func(dev iface) bool {
		return dev.name == "lo" && dev.index == 1 && dev.up && dev.link == loopback
	}
	if !slices.ContainsFunc(running(all), isLo) {
		t.Errorf("no loopback device in %+v", all)
	}
	if lo, err := named(all, []string{"lo", "lo"}); err != nil || len(lo) != 1 || !isLo(lo[0]) {
		t.Errorf("named(lo, lo) = %+v, %v", lo, err)
	}
	if _, err := named(all, []string{"lo", "no-such"}); !errors.Is(err, ErrNoInterface) {
		t.Errorf("named(no-such): %v", err)
	}
	other := append(all, iface{name: "can0"})
	if _, err := named(other, []string{"can0"}); !errors.Is(err, ErrNoInterface) {
		t.Errorf("named(can0): %v", err)
	}
	if len(running(other)) != len(running(all)) {
		t.Error("an interface that carries no IP is running")
	}
}
