package app

import (
	"context"

	"github.com/vegress/vegress/simulator"
)

// playGuests posts what sensors in guests record, while the lines of the night
// are played.
func (s *show) playGuests(ctx context.Context) error {
	sent, err := s.traffic.Guests().PlayWith(ctx, simulator.GuestOptions{URL: "http://" + s.app.adminAddr()}, s.traffic)
	s.sensed = int64(sent)
	return err
}
