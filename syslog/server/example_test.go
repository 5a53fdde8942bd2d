package server_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/vegress/vegress/syslog/server"
)

// printer is a Handler, and the Session of every connection.
type printer struct{ done context.CancelFunc }

func (p printer) Open(server.Source) server.Session { return p }

func (p printer) Lines(b *server.Batch) time.Duration {
	for _, l := range b.Lines {
		fmt.Println(l.Text)
	}
	return 0
}

func (p printer) Idle(time.Time) time.Duration { return 0 }

func (p printer) Close() { p.done() }

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.New(server.Options{Listen: []string{"tcp://127.0.0.1:0"}}, printer{cancel})
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		c, err := net.Dial("tcp", s.Addrs()[0].String())
		if err != nil {
			cancel()
			return
		}
		defer c.Close()
		fmt.Fprint(c, "<14>one line\n12 <14>counted.")
	}()
	fmt.Println(s.Run(ctx))
	// Output:
	// <14>one line
	// <14>counted.
	// <nil>
}
