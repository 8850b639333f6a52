//go:build !amd64 || safe

package netsort

// wide says that there is something faster than the networks of Go.
const wide = false

func sort64(*[64]uint64)   {}
func sort128(*[128]uint64) {}
