package app

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// health is what /readyz goes by.
type health struct {
	ready atomic.Bool // lines are taken
}

// check is nil when lines that come now reach the store, and the far server
// where there is one.
func (a *App) check() error {
	errs := []error{a.broker.Health(), a.publisher.Health()}
	if a.uplink != nil {
		errs = append(errs, a.uplink.Health())
	}
	return errors.Join(errs...)
}

// handler serves /metrics, /healthz, /readyz and /ingest/.
func (a *App) handler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics{a}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	if a.sending != nil {
		mux.Handle("POST /ingest/{source}", a.sending)
	}
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { a.answer(w, a.check()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		err := a.check()
		if !a.health.ready.Load() {
			err = errors.Join(errors.New("not receiving"), err)
		}
		a.answer(w, err)
	})
	return mux
}

// answer says ok, or why not, with the account of all records. A vCenter that
// is away makes it degraded: what comes in is taken and stored all the same,
// and whoever restarted the service for it would only log in once more.
func (a *App) answer(w http.ResponseWriter, err error) {
	body := struct {
		Status   string   `json:"status"`
		Error    string   `json:"error,omitempty"`
		Warnings []string `json:"warnings,omitempty"`
		Records  account  `json:"records"`
	}{Status: "ok", Warnings: a.ailing(), Records: a.account()}
	if err := a.reader.Health(); err != nil {
		body.Warnings = append(body.Warnings, err.Error())
	}
	code := http.StatusOK
	if len(body.Warnings) > 0 {
		body.Status = "degraded"
	}
	if err != nil {
		body.Status, body.Error, code = "failing", err.Error(), http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}
