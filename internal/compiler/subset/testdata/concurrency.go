package p

type queue chan int32

func Go(n int32) {
	go work(n) // want "W0101"
}

func work(n int32) {}

func Chan(n int32) int32 {
	c := make(chan int32, 1) // want "channel in kernel code.*bpf.RingBuf.*W0102"
	c <- n                   // want "W0102"
	close(c)                 // want "W0102"
	for v := range c {       // want "W0102"
		n += v
	}
	return <-c // want "W0102"
}

func Named(q queue) { // want "W0102"
}

func Select() {
	select {} // want "W0103"
}
