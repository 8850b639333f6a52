// Package flow holds the plain values that the stages pass to each other:
// Key, the session key, and Event, one decoded packet.
//
// Step 3 of the walk from file to CSV. It imports the standard library only
// and starts no goroutines; its values hold no pointers and own no memory.
package flow
