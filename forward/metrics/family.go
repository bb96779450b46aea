package metrics

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// maxMembers is how many values a label may have that comes from what happens. There are
// a dozen or two of each; the bound is there so that a text which differs each time, given
// by mistake, doesn't fill the memory of this process and of Prometheus.
const maxMembers = 100

// overflow is the label of all beyond that.
const overflow = "other"

// family is metrics that differ in one label, found without a lock.
type family[T any] struct {
	configured bool // its labels are names from the configuration, of which there may be any number
	members    atomic.Pointer[map[string]T]
	mu         sync.Mutex
}

// get returns the member of a label, made by create when it is needed first.
func (f *family[T]) get(label string, create func(string) T) T {
	if m := f.members.Load(); m != nil {
		if t, ok := (*m)[label]; ok {
			return t
		}
	}
	return f.add(label, create)
}

func (f *family[T]) add(label string, create func(string) T) T {
	label = strings.ToValidUTF8(label, "?") // as Prometheus demands
	f.mu.Lock()
	defer f.mu.Unlock()
	next := make(map[string]T)
	if m := f.members.Load(); m != nil {
		if len(*m) >= maxMembers && !f.configured {
			label = overflow
		}
		if t, ok := (*m)[label]; ok {
			return t
		}
		next = maps.Clone(*m)
	}
	t := create(label)
	next[label] = t
	f.members.Store(&next)
	return t
}

// pairs is counters that differ in two labels, of which the first is configured.
type pairs struct {
	vec   *prometheus.CounterVec
	outer family[*family[prometheus.Counter]]
}

func newPairs(vec *prometheus.CounterVec) *pairs {
	return &pairs{vec: vec, outer: family[*family[prometheus.Counter]]{configured: true}}
}

func (p *pairs) get(first, second string) prometheus.Counter {
	inner := p.outer.get(first, func(string) *family[prometheus.Counter] { return new(family[prometheus.Counter]) })
	return inner.get(second, func(second string) prometheus.Counter { return p.vec.WithLabelValues(first, second) })
}
