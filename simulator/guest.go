package simulator

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Guests is what sensors inside of machines tell in the night of a Traffic:
// Windows by Sysmon and PowerShell's own log, Linux by auditd, macOS by
// eslogger and osquery. The five validation tests of ATT&CK detection strategy
// DET0425 are in it, each with an honest twin.
type Guests struct {
	records []GuestRecord
	truth   GuestTruth
}

// GuestRecord is one record of a sensor, as its shipper sends it.
type GuestRecord struct {
	Time   time.Time
	Source string // "winlog", "auditd", "eslogger" or "osquery"
	Host   string // who sends it
	Record string // one line
}

// GuestTruth is what there is to find. An analytic that joins these records
// with what the hosts tell finds its stories only with both.
type GuestTruth struct {
	Stories []Story  `json:"stories"`
	Honest  []Honest `json:"honest"` // none of which may become a finding
}

// Guests gives what the sensors tell.
func (t *Traffic) Guests() *Guests { return &t.sensed }

// Records is every record in order of time.
func (g *Guests) Records() iter.Seq[GuestRecord] { return slices.Values(g.records) }

// Truth is what there is to find.
func (g *Guests) Truth() GuestTruth { return g.truth }

// GuestOptions say where Guests go.
type GuestOptions struct {
	URL   string // of the collector: "http://127.0.0.1:9514"; records go to URL/ingest/SOURCE?host=HOST
	Token string // bearer token; empty: none
	// Client sends them; nil: http.DefaultClient.
	Client *http.Client
}

// gather is how much simulated time of records a shipper puts into one request.
const gather = 10 * time.Second

// PlayWith posts each machine's records, in order, when t's Clock has come to
// their time. It ends early when the collector refuses some.
func (g *Guests) PlayWith(ctx context.Context, o GuestOptions, t *Traffic) (sent int, err error) {
	const look = 2 * time.Millisecond
	for rest := g.records; len(rest) > 0; {
		for t.Clock(time.Now()).Before(rest[0].Time) {
			if err := wait(ctx, time.Now().Add(look)); err != nil {
				return sent, err
			}
		}
		n := 1
		for n < len(rest) && rest[n].Source == rest[0].Source && rest[n].Host == rest[0].Host && rest[n].Time.Sub(rest[0].Time) < gather {
			n++
		}
		if err := o.post(ctx, rest[:n]); err != nil {
			return sent, fmt.Errorf("play the guests' records: %w", err)
		}
		sent += n
		rest = rest[n:]
	}
	return sent, nil
}

// post sends records of one machine and source.
func (o *GuestOptions) post(ctx context.Context, records []GuestRecord) error {
	var body bytes.Buffer
	for _, r := range records {
		body.WriteString(r.Record)
		body.WriteByte('\n')
	}
	to := strings.TrimSuffix(o.URL, "/") + "/ingest/" + records[0].Source + "?host=" + url.QueryEscape(records[0].Host)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+o.Token)
	}
	client := o.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 256))
		return fmt.Errorf("post %d records to %s: %s: %s", len(records), to, resp.Status, bytes.TrimSpace(answer))
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// guest is a machine with a sensor. vm is nil where it is none of the estate.
type guest struct {
	sc   *script
	vm   *VM
	name string
	addr netip.Addr
	pid  int
}

func (sc *script) guest(who part) *guest {
	vm := sc.site.cast[who]
	if vm == nil {
		return nil
	}
	return &guest{sc: sc, vm: vm, name: vm.GuestName, addr: vm.Address, pid: 3000 + 4*sc.rng.IntN(800)}
}

// newPID is the next process's.
func (g *guest) newPID() int {
	g.pid += 4 * (1 + g.sc.rng.IntN(60))
	return g.pid
}

func (g *guest) say(at time.Time, source, record string) {
	g.sc.sensed.records = append(g.sc.sensed.records, GuestRecord{Time: at.Truncate(time.Millisecond), Source: source, Host: g.name, Record: record})
}

// process is one that a guest's sensor tells of.
type process struct {
	pid        int
	path, line string
	user       string // "LAB\jdoe"; "www-data"
	parent     *process
	begun      time.Time
}

// visits is what a process does at a web service: so many connections, so far
// apart.
type visits struct {
	to      place
	begin   time.Time
	count   int
	apart   time.Duration
	out, in int64
}

// each gives the time and the client port of each connection, and writes the
// hypervisor's lines of it, where the guest is a VM.
func (g *guest) each(v visits, tell func(at time.Time, from netip.AddrPort)) {
	if g.vm != nil {
		g.sc.ask(v.begin.Add(-lead), g.addr, v.to.name, v.to.addr.Addr())
	}
	for i := range v.count {
		at := v.begin.Add(time.Duration(i)*v.apart + g.sc.some(0, max(v.apart/20, time.Second)))
		from := netip.AddrPortFrom(g.addr, g.sc.port())
		tell(at, from)
		if g.vm != nil {
			g.sc.leaveBy(at.Add(3*time.Millisecond), g.vm, from, v.to.addr, g.sc.some(2*time.Second, 20*time.Second), v.out+g.sc.rng.Int64N(v.out), v.in)
		}
	}
}
