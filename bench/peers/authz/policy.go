package main

import (
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
)

// policy allows what one of its rules matches.
type policy struct {
	Name  string  `json:"name"`
	Rules []*rule `json:"rules"`
}

// rule is what the bench writes: exact SPIFFE IDs or prefixes ending in "/*", methods, path globs, and a header that
// must have a value.
type rule struct {
	Principals []string `json:"principals"`
	Methods    []string `json:"methods"`
	Paths      []string `json:"paths"`
	Header     *header  `json:"header"`
	globs      []glob
}

type header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (p *policy) compile() {
	for _, rule := range p.Rules {
		for _, path := range rule.Paths {
			rule.globs = append(rule.globs, compileGlob(path))
		}
	}
}

func (p *policy) allows(attributes *auth.AttributeContext) bool {
	principal := attributes.GetSource().GetPrincipal()
	http := attributes.GetRequest().GetHttp()
	path, _, _ := strings.Cut(http.GetPath(), "?")
	for _, rule := range p.Rules {
		if rule.matches(principal, path, http) {
			return true
		}
	}
	return false
}

func (r *rule) matches(principal, path string, http *auth.AttributeContext_HttpRequest) bool {
	if !matchesPrincipal(r.Principals, principal) || !contains(r.Methods, http.GetMethod()) || !r.matchesPath(path) {
		return false
	}
	return r.Header == nil || r.Header.matches(http.GetHeaderMap())
}

func (h *header) matches(headers *core.HeaderMap) bool {
	for _, each := range headers.GetHeaders() {
		if each.GetKey() == h.Name {
			return string(each.GetRawValue()) == h.Value
		}
	}
	return false
}

func matchesPrincipal(patterns []string, principal string) bool {
	for _, pattern := range patterns {
		prefix, wildcard := strings.CutSuffix(pattern, "*")
		if pattern == principal || wildcard && strings.HasPrefix(principal, prefix) {
			return true
		}
	}
	return false
}

func contains(methods []string, method string) bool {
	for _, each := range methods {
		if each == method {
			return true
		}
	}
	return len(methods) == 0
}

func (r *rule) matchesPath(path string) bool {
	for _, glob := range r.globs {
		if glob.matches(path) {
			return true
		}
	}
	return len(r.globs) == 0
}

// glob is a path pattern in which "*" is any one segment and a last "**" whatever follows.
type glob struct {
	segments []string
	rest     bool
}

func compileGlob(pattern string) glob {
	prefix, rest := strings.CutSuffix(pattern, "/**")
	return glob{segments: strings.Split(strings.TrimPrefix(prefix, "/"), "/"), rest: rest}
}

func (g glob) matches(path string) bool {
	left, ok := strings.CutPrefix(path, "/")
	for index, segment := range g.segments {
		if !ok {
			return false
		}
		var head string
		head, left, ok = strings.Cut(left, "/")
		if segment != "*" && segment != head {
			return false
		}
		if index == len(g.segments)-1 {
			return !ok || g.rest
		}
	}
	return false
}
