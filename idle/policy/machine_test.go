package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/idle/watch"
)

// play runs a script, one line a step:
//
//	SECONDS open ID [CLIENT]       SECONDS found ID
//	SECONDS close ID [BYTES]       SECONDS moved ID BYTES, ID BYTES...
//	SECONDS hold SECONDS           SECONDS release ID
//	SECONDS suspend                SECONDS resume
//	SECONDS is WHAT                what describe says
func play(t *testing.T, c Config, script string) {
	t.Helper()
	m := New(c, start)
	opened := make(map[uint64]watch.Conn)
	for line := range strings.Lines(script) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		number := func(s string) uint64 {
			n, err := strconv.ParseUint(strings.Trim(s, ","), 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			return n
		}
		at := start.Add(time.Duration(number(f[0])) * time.Second)
		switch f[1] {
		case "open", "found":
			client := "10.0.0.1:1000"
			if len(f) > 3 {
				client = f[3]
			}
			c := watch.Conn{ID: number(f[2]), Client: netip.MustParseAddrPort(client), Port: 22, Opened: at, Found: f[1] == "found"}
			opened[c.ID] = c
			m.Event(&watch.Event{Kind: watch.Opened, Conn: c, Time: at})
		case "close":
			e := watch.Event{Kind: watch.Closed, Conn: opened[number(f[2])], Time: at}
			if len(f) > 3 {
				e.Bytes = watch.Bytes{In: number(f[3]), Known: true}
			}
			m.Event(&e)
		case "moved":
			for i := 2; i+1 < len(f); i += 2 {
				m.Moved(number(f[i]), watch.Bytes{In: number(f[i+1]), Known: true}, at)
			}
			m.Sampled(at)
		case "hold":
			if _, err := m.Hold("because", time.Duration(number(f[2]))*time.Second, at); err != nil {
				t.Error(err)
			}
		case "suspend":
			m.Suspend()
		case "resume":
			m.Resume(at)
		case "release":
			m.Release(int(number(f[2])), at)
		case "is":
			if got, want := describe(m.Decide(at)), strings.Join(f[2:], " "); got != want {
				t.Errorf("%s: got %q", strings.TrimSpace(line), got)
			}
		default:
			t.Fatalf("%s: what?", line)
		}
	}
}

// describe is a decision in words: busy, or idle since when and until when, or stop; and
// when to ask again.
func describe(d Decision) string {
	seconds := func(t time.Time) string { return fmt.Sprint(t.Sub(start).Seconds()) }
	var words []string
	switch {
	case d.Stop:
		words = append(words, "stop")
	case d.Wake:
		words = append(words, "wake")
	case d.Busy:
		words = append(words, "busy")
	case d.Since.IsZero():
		words = append(words, "suspended")
	default:
		words = append(words, "idle "+seconds(d.Since)+" to "+seconds(d.StopAt))
	}
	if d.Sample {
		words = append(words, "sample")
	}
	if !d.Stop && !d.Next.IsZero() {
		words = append(words, "next "+seconds(d.Next))
	}
	return strings.Join(words, ", ")
}

func TestMachine(t *testing.T) {
	const minute = time.Minute
	for _, test := range []struct {
		name   string
		config Config
		script string
	}{
		{"nobody comes", Config{Idle: minute}, `
			0 is idle 0 to 60, next 60
			59 is idle 0 to 60, next 60
			60 is stop
			100 is stop`},
		{"one comes and goes", Config{Idle: minute}, `
			10 open 1
			10 is busy
			1000 is busy
			1000 close 1
			1000 is idle 1000 to 1060, next 1060
			1060 is stop`},
		{"several", Config{Idle: minute}, `
			10 open 1
			20 open 2
			30 close 1
			30 is busy
			40 open 1
			50 close 2
			50 is busy
			60 close 1
			60 is idle 60 to 120, next 120
			119 open 3
			120 is busy`},
		{"twice told", Config{Idle: minute}, `
			10 open 1
			11 open 1
			20 close 1
			20 close 1
			20 is idle 20 to 80, next 80`},
		{"told late", Config{Idle: minute}, `
			10 open 1
			20 open 2
			40 close 2
			30 close 1
			41 is idle 40 to 100, next 100`},
		{"grace", Config{Idle: minute, Grace: 5 * minute}, `
			0 is idle 0 to 300, next 300
			60 is idle 0 to 300, next 300
			100 open 1
			110 close 1
			299 is idle 110 to 300, next 300
			300 is stop`},
		{"grace and a connection late in it", Config{Idle: minute, Grace: 2 * minute}, `
			100 open 1
			110 close 1
			120 is idle 110 to 170, next 170
			170 is stop`},
		{"ignored", Config{Idle: minute, Ignore: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParsePrefix("fd00::/8")}}, `
			10 open 1 10.9.3.4:5
			20 open 2 [fd01::1]:5
			30 is idle 0 to 60, next 60
			31 close 1
			32 is idle 0 to 60, next 60
			33 open 3 10.8.0.1:5
			34 is busy
			40 close 3
			40 is idle 40 to 100, next 100`},
		{"holds", Config{Idle: minute}, `
			10 hold 100
			10 is busy, next 110
			60 is busy, next 110
			110 is idle 110 to 170, next 170
			120 hold 500
			120 is busy, next 620
			130 release 1
			130 is busy, next 620
			140 release 2
			140 is idle 140 to 200, next 200`},
		{"hold that ended while nobody looked", Config{Idle: minute}, `
			10 hold 20
			100 is stop`},
		{"hold and connection", Config{Idle: minute}, `
			10 open 1
			20 hold 10
			40 is busy
			50 close 1
			50 is idle 50 to 110, next 110`},
		{"too young", Config{Idle: minute, MinAge: 10 * time.Second}, `
			5 open 1
			5 is idle 0 to 60, next 15
			14 close 1 999999
			14 is idle 0 to 60, next 60
			20 open 2
			30 is busy
			35 close 2
			35 is idle 35 to 95, next 95`},
		{"old enough while nobody looked", Config{Idle: minute, MinAge: 10 * time.Second}, `
			20 open 1
			45 close 1
			45 is idle 45 to 105, next 105`},
		{"undecided when the time is over", Config{Idle: minute, MinAge: 10 * time.Second}, `
			55 open 1
			58 open 2
			60 is idle 0 to 68, next 65
			62 open 3
			63 close 2
			63 is idle 0 to 65, next 65
			65 is busy, next 72
			66 close 1
			66 is idle 66 to 126, next 72`},
		{"scans without end", Config{Idle: minute, MinAge: 10 * time.Second}, `
			58 open 1
			60 is idle 0 to 68, next 68
			62 open 2
			63 close 1
			64 is stop`},
		{"found", Config{Idle: minute, MinAge: 10 * time.Second}, `
			0 found 1
			0 is busy`},
		{"too little", Config{Idle: minute, MinBytes: 100}, `
			10 open 1
			10 is idle 0 to 60, sample, next 1
			10 moved 1 99
			10 is idle 0 to 60, next 11
			11 moved 1 99
			59 moved 1 99
			60 is idle 0 to 60, sample, next 60
			60 moved 1 99
			60 is stop`},
		{"enough at last", Config{Idle: minute, MinBytes: 100}, `
			10 open 1
			20 moved 1 100
			20 is busy
			30 close 1 100
			30 is idle 30 to 90, next 90`},
		{"enough, seen at the end only", Config{Idle: minute, MinBytes: 100}, `
			10 open 1
			20 close 1 100
			20 is idle 20 to 80, next 80
			30 open 2
			40 close 2 99
			40 is idle 20 to 80, next 80`},
		{"nobody knows", Config{Idle: minute, MinBytes: 100}, `
			10 open 1
			11 moved
			11 is busy
			20 close 1
			20 is idle 20 to 80, next 80
			30 open 2
			40 close 2
			40 is idle 40 to 100, next 100`},
		{"quiet", Config{Idle: minute, Quiet: 100 * time.Second}, `
			0 open 1
			0 is busy, next 10
			10 moved 1 100
			10 is busy, next 20
			100 moved 1 100
			100 is busy, next 110
			110 moved 1 100
			110 is idle 110 to 170, next 120
			120 moved 1 101
			120 is busy, next 130
			220 moved 1 101
			225 close 1 101
			225 is idle 220 to 280, next 280`},
		{"suspended", Config{Idle: minute}, `
			60 is stop
			60 suspend
			1000 is suspended
			1001 open 1
			1001 is wake
			1002 resume
			1002 is busy
			1003 close 1
			1003 is idle 1003 to 1063, next 1063`},
		{"suspended, and somebody ignored comes", Config{Idle: minute, Ignore: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}}, `
			60 suspend
			70 open 1 10.9.3.4:5
			71 is suspended
			80 open 2
			80 is wake`},
		{"suspended, and somebody comes who is too young", Config{Idle: minute, MinAge: 10 * time.Second}, `
			60 suspend
			70 open 1
			70 is wake
			71 resume
			71 is idle 71 to 131, next 80
			80 is busy`},
		{"suspended, and a scan comes and goes", Config{Idle: minute, MinAge: 10 * time.Second}, `
			60 suspend
			70 open 1
			71 close 1
			71 is wake
			71 resume
			71 is idle 71 to 131, next 131
			131 is stop`},
		{"suspended, and somebody comes who has moved too little", Config{Idle: minute, MinBytes: 100}, `
			60 suspend
			70 open 1
			70 is wake
			70 moved 1 10
			71 resume
			72 is idle 71 to 131, sample, next 71
			72 moved 1 100
			72 is busy`},
		{"suspended beside who has moved too little, until that one does", Config{Idle: minute, MinBytes: 100}, `
			10 open 1
			60 moved 1 50
			60 is stop
			60 suspend
			60 is suspended, next 61
			61 moved 1 50
			61 is suspended, next 62
			62 moved 1 60
			62 is wake`},
		{"suspended beside a quiet one, until that one types", Config{Idle: minute, Quiet: 100 * time.Second}, `
			0 open 1
			0 moved 1 100
			100 moved 1 100
			160 moved 1 100
			160 is stop
			160 suspend
			160 is suspended, next 161
			161 moved 1 100
			161 is suspended, next 162
			162 moved 1 101
			162 is wake
			162 resume
			162 is busy, next 172`},
		{"suspended, and held", Config{Idle: minute}, `
			60 suspend
			70 hold 100
			70 is wake
			70 resume
			70 is busy, next 170
			170 is idle 170 to 230, next 230`},
	} {
		t.Run(test.name, func(t *testing.T) { play(t, test.config, test.script) })
	}
}
