//go:build !amd64 || safe

package netsort

// wide is false where there is no assembly, or none is wanted: then Sort does
// not call sort64 and sort128.
const wide = false

func sort64(*[64]uint64)   {}
func sort128(*[128]uint64) {}
