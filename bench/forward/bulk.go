package main

import "sync/atomic"

// measureBulk: one connection, then eight.
func measureBulk(t *trial) ([]float64, error) {
	one, err := t.bulk(1, nil)
	if err != nil {
		return nil, err
	}
	eight, err := t.bulk(8, nil)
	if err != nil {
		return nil, err
	}
	gigabytes := one.bytes / 1e9
	return []float64{
		one.rate(), one.process.Seconds() / gigabytes, one.machine.Seconds() / gigabytes,
		eight.rate(),
	}, nil
}

// measureCalls is bulk with a counter, which costs time.
func measureCalls(t *trial) ([]float64, error) {
	if t.process == nil {
		return []float64{0}, nil
	}
	c, err := t.process.count(t.ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	one, err := t.bulk(1, c)
	if err != nil {
		return nil, err
	}
	return []float64{float64(one.calls) / one.bytes}, nil
}

// carried is what connections have carried in a window.
type carried struct {
	usage
	bytes float64
	calls uint64
}

func (c *carried) rate() float64 { return c.bytes / c.at.Seconds() }

// chunk is the size of writes and reads.
const chunk = 256 << 10

// bulk lets n connections carry as much as they can, from the server, which begins
// when it has got a byte.
func (t *trial) bulk(n int, calls *counter) (c carried, err error) {
	var team crew
	defer func() {
		if dismissErr := team.dismiss(); err == nil {
			err = dismissErr
		}
	}()
	err = team.serve(n, func(s socket) error {
		buf := make([]byte, chunk)
		if end, err := team.readFull(s, buf[:1]); end || err != nil {
			return err
		}
		for !team.over.Load() {
			if _, err := s.write(buf); err != nil && !again(err) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	var received atomic.Int64
	for range n {
		s, err := connect(t.target)
		if err != nil {
			return c, err
		}
		team.hire(func() error {
			defer s.close()
			return team.receive(s, &received)
		})
	}
	return t.watch(&received, calls)
}

// receive asks for a stream and counts what comes.
func (c *crew) receive(s socket, received *atomic.Int64) error {
	buf := make([]byte, chunk)
	if err := c.writeAll(s, buf[:1]); err != nil {
		return err
	}
	for !c.over.Load() {
		n, err := s.read(buf)
		switch {
		case again(err):
		case err != nil:
			return err
		case n == 0:
			return errEnded
		}
		received.Add(int64(n))
	}
	return nil
}

// watch measures the traffic that is running.
func (t *trial) watch(received *atomic.Int64, calls *counter) (c carried, err error) {
	if err := t.sleep(warmUp); err != nil {
		return c, err
	}
	var before, after uint64
	if calls != nil {
		if before, err = calls.read(); err != nil {
			return c, err
		}
	}
	start := received.Load()
	if c.usage, err = t.window(); err != nil {
		return c, err
	}
	c.bytes = float64(received.Load() - start)
	if calls != nil {
		after, err = calls.read()
		c.calls = after - before
	}
	if c.bytes < 1e6*c.at.Seconds() {
		return c, errStalled
	}
	return c, err
}
