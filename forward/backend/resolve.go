package backend

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// maxAddrs is how many addresses of a name are used.
	maxAddrs = 256
	// resolveTimeout bounds one look-up, resolveRetry is when one that went wrong
	// is repeated first; each further time it takes twice as long, up to the TTL.
	// An answer is believed for that long, too, whatever its addresses do.
	resolveTimeout = 10 * time.Second
	resolveRetry   = time.Second
)

// lookup asks the system.
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// keepResolved looks up a target's name until the group is closed.
func (g *Group) keepResolved(t *target) {
	ttl := g.config.ResolveTTL
	retry := min(resolveRetry, ttl)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var asked time.Time
	for first := true; ; first = false {
		if !g.awaitTurn(t, timer, asked) {
			return
		}
		asked = time.Now()
		addrs, err := g.resolve(g.ctx, t)
		if g.ctx.Err() != nil {
			return
		}
		g.resolvedTo(t, answer{asked, addrs, err}, first)
		if err == nil {
			retry = min(resolveRetry, ttl)
			timer.Reset(jitter(ttl))
			continue
		}
		timer.Reset(jitter(retry))
		retry = min(2*retry, ttl)
	}
}

func (g *Group) resolve(ctx context.Context, t *target) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	return g.config.Resolve(ctx, t.host)
}

// Refresh looks up all names now, and returns when it is known where connections go: for
// those who know that there is another answer than the last.
func (g *Group) Refresh(ctx context.Context) {
	var work sync.WaitGroup
	for _, t := range g.targets {
		if !t.name {
			continue
		}
		work.Go(func() {
			asked := time.Now()
			addrs, err := g.resolve(ctx, t)
			g.resolvedTo(t, answer{asked, addrs, err}, false)
		})
	}
	work.Wait()
}

// awaitTurn waits until a name is to be looked up; false means never again.
func (g *Group) awaitTurn(t *target, timer *time.Timer, asked time.Time) bool {
	for {
		select {
		case <-g.ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-t.doubt:
			timer.Reset(time.Until(asked.Add(resolveRetry)))
		}
	}
}

// answer is that of a look-up.
type answer struct {
	asked time.Time
	addrs []netip.Addr
	err   error
}

// resolvedTo takes an answer, unless there is one already that was asked for later. After
// one that went wrong, the addresses stay what they were.
func (g *Group) resolvedTo(t *target, a answer, first bool) {
	addrs, err := a.addrs, a.err
	g.mu.Lock()
	defer g.mu.Unlock()
	if first {
		if g.waiting--; g.waiting == 0 {
			defer close(g.ready)
		}
	}
	if a.asked.Before(t.asked) {
		return
	}
	t.asked = a.asked
	if t.err = err; err == nil && len(addrs) == 0 {
		t.err = errors.New("the name has no address")
	}
	if err != nil || g.closed {
		return
	}
	// The order says nothing: name servers change it with every answer.
	addrs = slices.Clone(addrs)
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	addrs = addrs[:min(len(addrs), maxAddrs)]
	if sameAddrs(t.backends, addrs) {
		return
	}
	t.since = time.Now()
	g.setAddrs(t, addrs, nil)
	g.publish()
}

func sameAddrs(list []*Backend, addrs []netip.Addr) bool {
	return slices.EqualFunc(list, addrs, func(b *Backend, a netip.Addr) bool { return b.addr.Addr() == a.Unmap() })
}
