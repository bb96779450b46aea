// Package rawio makes system calls on sockets that don't block, without telling Go's
// scheduler about them.
//
// The scheduler wants to know of system calls because they may take long: then another
// thread runs the goroutines meanwhile. A call that returns at once, with EAGAIN if need
// be, is over before that could help, but the telling costs: on short connections a tenth
// of all that a forwarder does, most of it for threads that are woken for nothing.
//
// So these are for sockets in non-blocking mode, and for calls that take some ten
// microseconds at most: up to 64 KiB at a time.
package rawio
