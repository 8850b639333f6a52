package job

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/decode"
)

// Sessions are the options that shape the numbers: what a session is, and what
// is counted of it. Run files, parts and state directories keep them as JSON,
// and only what was made with the same ones can be joined.
//
// In JSON an option that has its default is absent, so a later version may have
// more options and still read what this one made. An option that this version
// does not know is an error, not ignored.
type Sessions struct {
	// Unidirectional makes each direction of a 5-tuple a session of its own.
	Unidirectional bool
	// VLAN adds the outermost and the innermost VLAN id to the session key.
	VLAN bool
	// Capture adds the capture to the session key.
	Capture bool
	// Decapsulate takes the innermost IP header of tunnels.
	Decapsulate bool
	// TunnelPorts are UDP ports of tunnels besides the usual ones, as
	// decode.ParseTunnelPorts takes them. With Decapsulate alone.
	TunnelPorts string
	// IdleThreshold is the gap above which the time between two packets is
	// idle time. Not negative.
	IdleThreshold time.Duration
	// IdleTimeout is the gap above which a session ends; 0: none does. Not
	// negative.
	IdleTimeout time.Duration
	// ActiveTimeout is the time since its first packet above which a packet
	// begins a new session; 0: none does. Not negative.
	ActiveTimeout time.Duration
	// TCPEnd makes a SYN behind a closed TCP connection begin a new session.
	TCPEnd bool
}

// DefaultSessions are the options of a run that was not told otherwise.
func DefaultSessions() Sessions { return Sessions{IdleThreshold: agg.DefaultIdleThreshold} }

// An option is one field of Sessions as text, by the name of its flag.
type option struct {
	name string
	get  func(*Sessions) string
	set  func(*Sessions, string) error
}

// options are all fields of Sessions.
func options() []option {
	return []option{
		choice("direction", "bidirectional", "unidirectional", func(s *Sessions) *bool { return &s.Unidirectional }),
		{"key", (*Sessions).key, (*Sessions).setKey},
		choice("decapsulate", "false", "true", func(s *Sessions) *bool { return &s.Decapsulate }),
		{"tunnel-port", func(s *Sessions) string { return s.TunnelPorts }, func(s *Sessions, text string) error {
			ports, err := decode.ParseTunnelPorts(text)
			s.TunnelPorts = decode.FormatTunnelPorts(ports)
			return err
		}},
		duration("idle-threshold", func(s *Sessions) *time.Duration { return &s.IdleThreshold }),
		duration("idle-timeout", func(s *Sessions) *time.Duration { return &s.IdleTimeout }),
		duration("active-timeout", func(s *Sessions) *time.Duration { return &s.ActiveTimeout }),
		choice("tcp-end", "false", "true", func(s *Sessions) *bool { return &s.TCPEnd }),
	}
}

// key names what is part of the session key besides the 5-tuple.
func (s *Sessions) key() string {
	var names []string
	if s.VLAN {
		names = append(names, "vlan")
	}
	if s.Capture {
		names = append(names, "capture")
	}
	return strings.Join(names, ",")
}

func (s *Sessions) setKey(text string) error {
	s.VLAN = text == "vlan" || text == "vlan,capture"
	s.Capture = text == "capture" || text == "vlan,capture"
	if s.key() != text {
		return fmt.Errorf("must be %q, %q, %q or %q", "", "vlan", "capture", "vlan,capture")
	}
	return nil
}

func choice(name, no, yes string, field func(*Sessions) *bool) option {
	return option{name,
		func(s *Sessions) string {
			if *field(s) {
				return yes
			}
			return no
		},
		func(s *Sessions, text string) error {
			if text != yes && text != no {
				return fmt.Errorf("must be %q or %q", no, yes)
			}
			*field(s) = text == yes
			return nil
		}}
}

func duration(name string, field func(*Sessions) *time.Duration) option {
	return option{name,
		func(s *Sessions) string { return field(s).String() },
		func(s *Sessions, text string) (err error) {
			if *field(s), err = time.ParseDuration(text); err == nil && *field(s) < 0 {
				err = fmt.Errorf("is negative")
			}
			return err
		}}
}

// MarshalJSON implements json.Marshaler: an object with a text for each option
// that differs from its default.
func (s Sessions) MarshalJSON() ([]byte, error) {
	m := map[string]string{}
	initial := DefaultSessions()
	for _, o := range options() {
		if text := o.get(&s); text != o.get(&initial) {
			m[o.name] = text
		}
	}
	return json.Marshal(m)
}

// UnmarshalJSON implements json.Unmarshaler. What is absent gets its default.
func (s *Sessions) UnmarshalJSON(data []byte) error {
	var m map[string]string
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	*s = DefaultSessions()
	for _, o := range options() {
		text, ok := m[o.name]
		if !ok {
			continue
		}
		delete(m, o.name)
		if err := o.set(s, text); err != nil {
			return fmt.Errorf("option %q is %q: %w", o.name, text, err)
		}
	}
	for name := range m {
		return fmt.Errorf("option %q is not known: a later version of the program made this", name)
	}
	return nil
}

// Differences lists, as text, in which options s and o differ.
func (s Sessions) Differences(o Sessions) (list []string) {
	for _, option := range options() {
		if a, b := option.get(&s), option.get(&o); a != b {
			list = append(list, fmt.Sprintf("--%s is %s and %s", option.name, strconv.Quote(a), strconv.Quote(b)))
		}
	}
	slices.Sort(list)
	return list
}

// check refuses values that no run can have.
func (s *Sessions) check() error {
	if s.IdleThreshold < 0 || s.IdleTimeout < 0 || s.ActiveTimeout < 0 {
		return failure(Usage, "--idle-threshold, --idle-timeout and --active-timeout cannot be negative")
	}
	if _, err := decode.ParseTunnelPorts(s.TunnelPorts); err != nil {
		return failure(Usage, "--tunnel-port %w", err)
	}
	if s.TunnelPorts != "" && !s.Decapsulate {
		return failure(Usage, "--tunnel-port says where tunnels are that --decapsulate opens: use both")
	}
	return nil
}

// whole reports whether a rule that ends sessions needs all of a session's
// packets so far, in capture order, so that parts of it cannot be joined.
func (s *Sessions) whole() bool { return s.ActiveTimeout > 0 || s.TCPEnd }

// TunnelNames returns the names that Sessions.TunnelPorts may have.
func TunnelNames() []string { return decode.TunnelNames() }
