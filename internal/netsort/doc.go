// Package netsort sorts lists of up to 128 numbers, as sessions keep them: each
// session of more than twelve packets has three lists sorted for its medians,
// and a large one has three sorted for every 120 packets.
//
// The time of any sort that compares and branches goes into mispredicted
// branches, one for every second comparison. Here there are none: sorting
// networks compare the same places whatever is there, and take the minimum and
// the maximum.
//
// On amd64 with AVX-512 eight numbers are compared with eight others at a time,
// in assembly that generate.go writes. Everywhere else, and with the build tag
// safe, runs of eight are sorted by a network and then merged with index
// arithmetic. Both give the same, as any sort does.
package netsort
