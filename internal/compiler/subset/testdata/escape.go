package p

type node struct {
	next *node
	val  int32
}

func newNode(v int32) *node {
	return &node{val: v} // want "the address of a new node is returned.*W0204"
}

func Returned(n int32) int32 { return newNode(n).val }

func newOf[T any](v T) *T {
	p := new(T)
	*p = v
	return p // want "the address of a new int32 is returned.*W0204"
}

func NewOf(n int32) int32 { return *newOf(n) }

func listOf[T any](v T) *list[T] {
	f := func() *list[T] {
		return &list[T]{v: v} // want "the address of a new list.int32. is returned.*W0204"
	}
	return f()
}

type list[T any] struct{ v T }

func ListOf(n int32) int32 { return listOf(n).v }

func slice(n int32) []int32 {
	buf := [4]int32{n}
	return buf[1:] // want "the address of variable buf is returned.*W0204"
}

func Sliced(n int32) int32 { return slice(n)[0] }

func inStruct(n int32) (res struct{ p *int32 }) {
	res.p = &n
	return res // want "the address of variable n is returned.*W0204"
}

func InStruct(n int32) int32 { return *inStruct(n).p }

func List(n int32) int32 {
	var head *node
	for i := range n {
		head = &node{head, i} // want "the address of a new node is kept while the loop makes a new one.*W0204"
	}
	return head.val
}

func Array(n int32) int32 {
	var ps [4]*int32
	for i := range 4 {
		x := n + int32(i)
		ps[i] = &x // want "the address of variable x is kept while the loop makes a new one.*W0204"
	}
	return *ps[0]
}

func store(n *node) {
	var local node
	n.next = &local // want "the address of variable local is stored where the caller sees it.*W0204"
}

func Stored() int32 {
	var n node
	store(&n)
	return n.val
}

func link(a, b *node) { a.next = b }

func through(n *node) {
	var local node
	link(n, &local) // want "the address of variable local is stored where the caller sees it.*W0204"
}

func Through() int32 {
	var n node
	through(&n)
	return n.val
}

func same(n *node) *node { return n }

func Passed(v int32) int32 {
	n := node{val: v}
	return same(&n).val + passed(v).val
}

func passed(v int32) *node {
	n := node{val: v}
	return same(&n) // want "the address of variable n is returned.*W0204"
}

func generic[T any](x T) *T {
	return &x // want "the address of variable x is returned.*W0204"
}

func Generic(n int32) int32 { return *generic(n) }
