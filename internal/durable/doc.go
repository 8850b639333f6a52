// Package durable writes files that are there whole or not at all.
//
// A Pending is written under a temporary name and renamed when it is complete.
// Its lock tells whoever cleans up after killed processes (Sweep) that its
// writer is alive. LockDir keeps a directory for one process. FS is the file
// system, which tests replace by one that fails.
//
// Callers are runfile, job and cmd/batch: whatever the program writes goes
// through here. The package starts no goroutines, keeps no memory and never
// reads what it wrote.
package durable
