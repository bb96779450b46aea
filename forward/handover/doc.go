// Package handover passes listeners from one process to the next, so that no client is
// turned away while a forwarder is replaced: over a Unix socket to a successor, or from
// systemd, which has opened them before (sd_listen_fds(3)). It also tells systemd what
// becomes of a service (sd_notify(3)).
package handover
