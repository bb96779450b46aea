package engine

import (
	"net/netip"
	"time"
)

// Adopter is an engine whose pairs outlive the process, if it is killed or told to shut
// down: the engine of another process then takes them over.
type Adopter interface {
	Engine
	// Adopt returns the pairs that the engine has taken over and has not returned
	// yet. They are the caller's from then on, who gives them to Forward as he
	// does his own. The engine looks after those that nobody asks for.
	Adopt() []Adoption
}

// Adoption is a pair that another process has left behind.
type Adoption struct {
	// Pair has no connections, because they were the other process's. It tells
	// what was moved since it was accepted, or since the other process told its
	// end for itself.
	Pair *Pair
	// Note is what the other process wanted this one to know.
	Note []byte
	// Client and Backend are the two ends, Local is what the client connected to.
	Client, Local, Backend netip.AddrPort
	// Active is when something was last heard of either end.
	Active time.Time
}

// MaxNote is how many bytes of a note are kept.
const MaxNote = 252
