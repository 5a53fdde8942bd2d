package behavior

import (
	"github.com/vegress/vegress/analytics"
	"github.com/vegress/vegress/event"
)

// keys are what an event is about, hashed.
type keys struct {
	source      uint64 // the machine
	process     uint64 // 0: not known
	destination uint64
	pair        uint64
}

func (d *Detector) keysOf(ev *event.Event) (k keys) {
	seed := analytics.Digest(d.seed)
	var buffer [128]byte
	entity := ev.AppendEntity(buffer[:0])
	k.source = uint64(seed.Bytes(entity))
	name := processName(&ev.Process)
	if name != "" {
		k.process = uint64(seed.Text(name).Word(1))
	}
	if host := hostOf(ev); host != "" {
		k.destination = uint64(seed.Text(host).Word(2))
	} else {
		k.destination = uint64(seed.Addr(ev.Dst.IP.Unmap()).Word(3))
	}
	k.pair = uint64(analytics.Digest(k.source).Word(k.process).Word(k.destination))
	return k
}

// processName is the path of the program, else its name; empty: not known.
func processName(p *event.Process) string {
	if p.Path != "" {
		return p.Path
	}
	return p.Name
}

// viaShared marks names that any resolver's line can teach, a forged one too:
// pairs are not told apart by them.
const viaShared = "dns_shared"

// hostOf is the name of the destination; empty: only its address is known.
func hostOf(ev *event.Event) string {
	host := ev.Dst.Hostname
	if ev.Dst.NameVia == viaShared && ev.Dst.IP.IsValid() {
		host = ""
	}
	if host == "" {
		host = event.URLHost(ev.URL)
	}
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1]
	}
	return host
}
