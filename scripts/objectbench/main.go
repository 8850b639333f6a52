// Command objectbench compares reading a capture from an object store on this
// machine with reading it from disk: the program is run on both by turns, and what
// is printed is the ratio of the fastest runs, by the clock and by the CPU time of
// the program, and the CPU time that the server took. The server is one that does
// nothing but copy the file to the connection; what it takes is missing where both
// share the cores. It is called by make bench-s3.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func main() {
	runs := flag.Int("runs", 5, "how often each is run")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, "usage: objectbench [-runs N] BATCH CAPTURE [FLAG...]") }
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := compare(flag.Arg(0), flag.Arg(1), flag.Args()[2:], *runs); err != nil {
		log.Fatal(err)
	}
}

func compare(batch, capture string, flags []string, runs int) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	dir, name := filepath.Split(capture)
	go func() { log.Fatal(http.Serve(l, store{http.Dir(cmp.Or(dir, "."))})) }()
	env := append(os.Environ(), "AWS_ENDPOINT_URL=http://"+l.Addr().String(), "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench",
		"AWS_REGION=us-east-1", "AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull)
	best, cpu := map[string]time.Duration{}, map[string]time.Duration{}
	served := time.Duration(0)
	object := "s3://bench/" + name
	for range runs {
		for _, from := range []string{capture, object} {
			cmd := exec.Command(batch, append([]string{"extract", "-q", "-o", os.DevNull, from}, flags...)...)
			cmd.Env, cmd.Stderr = env, os.Stderr
			begun, before := time.Now(), ownCPU()
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s: %w", from, err)
			}
			lowest(best, from, time.Since(begun))
			lowest(cpu, from, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
			served = ownCPU() - before
		}
	}
	fmt.Printf("%s: from disk %.3f s, as an object %.3f s, throughput %.2f of that from disk\n", name,
		best[capture].Seconds(), best[object].Seconds(), best[capture].Seconds()/best[object].Seconds())
	fmt.Printf("CPU time: from disk %.3f s, as an object %.3f s, ratio %.2f; the server took %.3f s\n",
		cpu[capture].Seconds(), cpu[object].Seconds(), cpu[capture].Seconds()/cpu[object].Seconds(), served.Seconds())
	return nil
}

func lowest(of map[string]time.Duration, name string, d time.Duration) {
	if of[name] == 0 || d < of[name] {
		of[name] = d
	}
}

// A store serves the files of a directory as the objects of any bucket, to be
// read.
type store struct{ dir http.Dir }

func (s store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, err := s.dir.Open("/" + filepath.Base(r.URL.Path))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf(`"%x-%x"`, info.Size(), info.ModTime().UnixNano()))
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", info.ModTime(), f)
}
