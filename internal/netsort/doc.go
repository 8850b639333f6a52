// Package netsort sorts lists of up to 128 numbers. Medians need sorted lists:
// the row of a session of more than twelve packets sorts three lists (gaps,
// wire lengths, payload sizes), and a session of more than 128 packets sorts
// up to three each time 120 further packets are folded into its digests.
//
// Sorting random numbers by comparing and branching takes most of its time for
// mispredicted branches: a CPU guesses every second comparison wrong. Here no
// branch depends on the numbers, except in lists so short that insertion is
// fastest. A sorting network compares the same places whatever stands there,
// and a comparison is the minimum and the maximum of two numbers.
//
// On amd64 with AVX-512, all of the list is sorted by one network, which
// compares eight numbers with eight others at a time. generate.go writes it in
// assembly, and explains it. Elsewhere, and with the build tag safe, a network
// sorts runs of eight numbers, and pairs of runs are merged without branches.
// Both give the same result.
package netsort
