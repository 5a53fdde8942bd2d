package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxStore is only a backstop: forward sizes its streams by Room.
func (s *Server) maxStore() (int64, error) {
	if s.opts.MaxStore > 0 {
		return s.opts.MaxStore, nil
	}
	_, size, err := freeBytes(s.opts.StoreDir)
	return size, err
}

// Room is what all streams together may take: half of what would be free if
// they were empty. Files that are in the store already count as free, or the
// streams would shrink at each start.
func (s *Server) Room() (int64, error) {
	free, _, err := freeBytes(s.opts.StoreDir)
	if err != nil {
		return 0, err
	}
	used, err := dirSize(s.opts.StoreDir)
	return (free + used) / 2, err
}

func dirSize(dir string) (int64, error) {
	var n int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err)
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return ignoreMissing(err)
	})
	if err != nil {
		return 0, fmt.Errorf("size of the store directory: %w", err)
	}
	return n, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the server removes files as it goes
	}
	return err
}

func (s *Server) free() int64 {
	free, _, _ := freeBytes(s.opts.StoreDir)
	return free
}

// SyncStore syncs every file and directory of the store to disk. Done once
// after streams were made: until then a loss of power may take the streams
// themselves, not only their last messages.
func (s *Server) SyncStore() error {
	err := filepath.WalkDir(s.opts.StoreDir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (d.IsDir() || d.Type().IsRegular()) {
			err = syncPath(path)
		}
		return ignoreMissing(err)
	})
	if err != nil {
		return fmt.Errorf("sync the store directory: %w", err)
	}
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
