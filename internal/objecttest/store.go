// Package objecttest has an object store in memory, whose answers can be made to
// fail, for tests of what happens then. Only tests import it.
package objecttest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// Bucket is the one that there is at the beginning.
const Bucket = "captures"

// The credentials that tests give to the program. A Store knows no others.
const (
	KeyID  = "AKIATESTTESTTESTTEST"
	Secret = "this+secret/must+not/appear+anywhere"
)

// A Store is an object store on this machine.
type Store struct {
	URL     string
	backend gofakes3.Backend
	inner   http.Handler

	mu       sync.Mutex
	fault    func(r *http.Request) Fault
	requests []string
	running  map[string]bool // multipart uploads that were neither completed nor given up
	delay    time.Duration   // of every answer
	load     Load
}

// A Load says how requests came.
type Load struct {
	All  int // how many there were
	Most int // the largest number of them side by side
	Lone int // how many began while there was no other

	now int
}

// A Fault is what becomes of a request instead of what it asks for.
type Fault uint8

const (
	None    Fault = iota
	Busy          // 503 SlowDown
	Reset         // the connection ends without an answer
	Short         // the answer ends in its middle
	Lost          // the request is done, and the connection ends without an answer
	Denied        // 403 AccessDenied
	Refused       // 403 InvalidAccessKeyId, which repeats the key
)

// New starts a Store, which ends with the test, and makes it the one that the
// environment names.
func New(t testing.TB) *Store {
	t.Helper()
	s := &Store{backend: s3mem.New(), running: map[string]bool{}}
	s.inner = gofakes3.New(s.backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	if err := s.backend.CreateBucket(Bucket); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	server.Config.ErrorLog = nil
	t.Cleanup(server.Close)
	s.URL = server.URL
	for name, value := range Environment(s.URL) {
		t.Setenv(name, value)
	}
	return s
}

// Environment names the store at a URL, and nothing else that there may be on the
// machine.
func Environment(url string) map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": KeyID, "AWS_SECRET_ACCESS_KEY": Secret, "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "us-east-1", "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "NO_PROXY": "127.0.0.1",
	}
}

// Fail decides what becomes of requests from now on; nil: what they ask for.
func (s *Store) Fail(fault func(r *http.Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// Some returns a fault for a share of all requests, in percent: in turn Busy,
// Reset, Short and Lost. An upload whose answer does not arrive is one that nobody
// can give up, so those are Reset.
func Some(percent int, seed uint64) func(*http.Request) Fault {
	var mu sync.Mutex
	rng, n := rand.New(rand.NewPCG(seed, 1)), 0
	return func(r *http.Request) Fault {
		mu.Lock()
		defer mu.Unlock()
		if rng.IntN(100) >= percent {
			return None
		}
		n++
		fault := Busy + Fault(n%4)
		if _, begins := r.URL.Query()["uploads"]; begins && fault >= Short {
			return Reset
		}
		return fault
	}
}

// Delay makes the store wait before each answer from now on, and begins to count
// the load.
func (s *Store) Delay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay, s.load = d, Load{now: s.load.now}
}

// Load is what the requests since Delay were.
func (s *Store) Load() Load {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load
}

// arrive counts a request, whose end the caller tells to leave, and waits.
func (s *Store) arrive() {
	s.mu.Lock()
	l := &s.load
	l.All++
	if l.now == 0 {
		l.Lone++
	}
	l.now++
	l.Most = max(l.Most, l.now)
	d := s.delay
	s.mu.Unlock()
	time.Sleep(d)
}

func (s *Store) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.load.now--
}

// Put makes an object.
func (s *Store) Put(t testing.TB, key string, data []byte) {
	t.Helper()
	if _, err := s.backend.PutObject(Bucket, key, map[string]string{}, bytes.NewReader(data), int64(len(data)), nil); err != nil {
		t.Fatal(err)
	}
}

// Get returns what an object has; false: there is none.
func (s *Store) Get(t testing.TB, key string) ([]byte, bool) {
	t.Helper()
	o, err := s.backend.GetObject(Bucket, key, nil)
	if err != nil {
		return nil, false
	}
	defer o.Contents.Close()
	data, err := io.ReadAll(o.Contents)
	if err != nil {
		t.Fatal(err)
	}
	return data, true
}

// Keys are those of all objects.
func (s *Store) Keys(t testing.TB) (keys []string) {
	t.Helper()
	list, err := s.backend.ListBucket(Bucket, &gofakes3.Prefix{}, gofakes3.ListBucketPage{})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range list.Contents {
		keys = append(keys, o.Key)
	}
	return keys
}

// Unfinished are the keys of multipart uploads that were neither completed nor
// given up.
func (s *Store) Unfinished() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.running))
}

// Requests returns the requests since it was called last: method, path, and the
// range or the operation.
func (s *Store) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.requests
	s.requests = nil
	return list
}

// ServeHTTP implements http.Handler.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.arrive()
	defer s.leave()
	s.mu.Lock()
	s.requests = append(s.requests, strings.TrimSpace(fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.Header.Get("Range"), r.URL.RawQuery)))
	fault := None
	if s.fault != nil {
		fault = s.fault(r)
	}
	s.mu.Unlock()
	switch fault {
	case Busy:
		refuse(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
		return
	case Reset:
		_, _ = io.Copy(io.Discard, r.Body)
		hangUp(w)
		return
	case Denied:
		refuse(w, http.StatusForbidden, "AccessDenied", "Access Denied")
		return
	case Refused:
		refuse(w, http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records: "+KeyID+" "+Secret)
		return
	}
	answer := httptest.NewRecorder()
	s.serve(answer, r)
	if fault == Lost {
		hangUp(w)
		return
	}
	body := answer.Body.Bytes()
	maps.Copy(w.Header(), answer.Header())
	if r.Method != http.MethodHead {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(answer.Code)
	if fault == Short {
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(body)
}

// serve answers a request, and keeps account of uploads.
func (s *Store) serve(w *httptest.ResponseRecorder, r *http.Request) {
	if r.Method == http.MethodGet && r.Header.Get("If-Match") != "" && !s.matches(r) {
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "At least one of the preconditions you specified did not hold.")
		return
	}
	_, begins := r.URL.Query()["uploads"]
	id := r.URL.Query().Get("uploadId")
	s.inner.ServeHTTP(w, r)
	if w.Code >= 300 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method == http.MethodPost && begins {
		_, rest, _ := strings.Cut(w.Body.String(), "<UploadId>")
		id, _, _ = strings.Cut(rest, "<")
		s.running[r.URL.Path+" "+id] = true
	} else if id != "" && (r.Method == http.MethodPost || r.Method == http.MethodDelete) {
		delete(s.running, r.URL.Path+" "+id)
	}
}

// matches reports whether the object has the ETag that the request asks for.
func (s *Store) matches(r *http.Request) bool {
	head := r.Clone(r.Context())
	head.Method = http.MethodHead
	head.Header.Del("Range")
	answer := httptest.NewRecorder()
	s.inner.ServeHTTP(answer, head)
	return answer.Code != http.StatusOK || answer.Header().Get("ETag") == r.Header.Get("If-Match")
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, message)
}

// hangUp resets the connection.
func hangUp(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	c.Close()
}
