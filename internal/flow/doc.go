// Package flow holds the plain values that the stages pass to each other:
// Key, the session key, and Event, one decoded packet.
//
// They go from step 3 of the walk from file to CSV to step 6. The package
// imports the standard library only and starts no goroutines; its values hold
// no pointers and own no memory.
package flow
