package handover

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Reloading says that the service loads its configuration; Ready follows. Systemd wants
// to know when that was, on the monotonic clock (sd_notify(3), Type=notify-reload).
func Reloading() string {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000)
}
