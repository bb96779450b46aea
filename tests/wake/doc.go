// Package wake tests "waggle wake" from outside: as a process, in front of real targets
// that it starts and stops, with real clients.
package wake
