package load

import (
	"fmt"
	"regexp"
	"strconv"
)

// VerifierStats is what the verifier says of a program it accepted.
type VerifierStats struct {
	Processed   int // instructions looked at, over all paths; the limit is 1,000,000
	PeakStates  int // largest number of states kept at a time
	TotalStates int
	StackDepth  string // bytes of each function, as the kernel writes it: "16+0"
}

var (
	processedStats = regexp.MustCompile(`processed (\d+) insns .*total_states (\d+) peak_states (\d+)`)
	stackStats     = regexp.MustCompile(`stack depth (\S+)`)
)

// VerifierStats reads the statistics the verifier gave when the program was
// loaded.
func (h *Handle) VerifierStats(program string) (VerifierStats, error) {
	log, err := h.VerifierLog(program)
	if err != nil {
		return VerifierStats{}, err
	}
	m := processedStats.FindStringSubmatch(log)
	if m == nil {
		return VerifierStats{}, fmt.Errorf("read verifier statistics of %s: none in its log", program)
	}
	var s VerifierStats
	s.Processed, _ = strconv.Atoi(m[1])
	s.TotalStates, _ = strconv.Atoi(m[2])
	s.PeakStates, _ = strconv.Atoi(m[3])
	if m := stackStats.FindStringSubmatch(log); m != nil {
		s.StackDepth = m[1]
	}
	return s, nil
}

// VerifierLog is the verifier's log of an accepted program: as much as
// Options.LogLevel asked for, and its statistics in any case.
func (h *Handle) VerifierLog(program string) (string, error) {
	p, err := h.Program(program)
	if err != nil {
		return "", err
	}
	return p.VerifierLog, nil
}
