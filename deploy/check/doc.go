// Package check holds what is shipped in deploy/ against the code and against the
// tools of those who read it: Kubernetes' schemas, hadolint, systemd. All of it is
// tests, and none of them wants a network, a cluster or a Docker engine.
package check
