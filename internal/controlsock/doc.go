// Package controlsock is the socket by which a process that runs is asked and told
// things: a Unix socket for its owner alone, on which requests and answers are JSON
// objects, a line each. Two processes of one path don't take it from each other by
// accident, and a successor can take it without a moment in which there is none.
package controlsock
