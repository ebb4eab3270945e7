package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"treasurehunt.example/go-compat/router"
	"treasurehunt.example/go-compat/services/canary"
	"treasurehunt.example/go-compat/services/program"
	"treasurehunt.example/go-compat/services/program/jsonapi"
)

// serveOperators puts what canaryctl calls on the admin port. Its few calls are not
// counted among those of the JSON API.
func serveOperators(p *program.Process, r *router.Router) {
	api := jsonapi.New(p.Log, prometheus.NewRegistry())
	canary.Routes(api, r)
	p.HandleAdmin("/router/", api)
}
