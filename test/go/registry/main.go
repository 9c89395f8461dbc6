// A registry with the referrers API, in memory, for tests. Options come as JSON on standard input, so that a password is
// in no argument list; the address it serves on is printed as one line. It ends with its standard input.
package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

type options struct {
	// Address to listen on; port 0 takes a free one.
	Address string `json:"address"`
	// Auth is "", "basic" or "bearer".
	Auth     string `json:"auth"`
	User     string `json:"user"`
	Password string `json:"password"`
	// IdentityToken is taken by the token endpoint as a refresh token.
	IdentityToken string `json:"identityToken"`
	CertFile      string `json:"certFile"`
	KeyFile       string `json:"keyFile"`
}

const tokenLifetime = 5 * time.Minute

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	input := bufio.NewReader(os.Stdin)
	line, err := input.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("options on standard input: %w", err)
	}
	var opts options
	if err := json.Unmarshal(line, &opts); err != nil {
		return fmt.Errorf("options on standard input: %w", err)
	}
	listener, err := net.Listen("tcp", opts.Address)
	if err != nil {
		return err
	}
	scheme := "http"
	if opts.CertFile != "" {
		scheme = "https"
	}
	base := scheme + "://" + listener.Addr().String()
	handler, err := protect(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))), opts, base)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	// The test that started us has ended when this does.
	go func() {
		_, _ = io.Copy(io.Discard, input)
		os.Exit(0)
	}()
	fmt.Println(listener.Addr())
	if opts.CertFile != "" {
		return server.ServeTLS(listener, opts.CertFile, opts.KeyFile)
	}
	return server.Serve(listener)
}

func protect(next http.Handler, opts options, base string) (http.Handler, error) {
	switch opts.Auth {
	case "":
		return next, nil
	case "basic":
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !hasPassword(r, opts) {
				unauthorized(w, `Basic realm="test"`)
				return
			}
			next.ServeHTTP(w, r)
		}), nil
	case "bearer":
		tokens := &tokens{opts: opts, issued: map[string]grant{}}
		mux := http.NewServeMux()
		mux.HandleFunc("/token", tokens.serve)
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			needed := scopeOf(r)
			token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !tokens.allow(token, needed) {
				challenge := fmt.Sprintf(`Bearer realm="%s/token",service="test"`, base)
				if needed != "" {
					challenge += fmt.Sprintf(`,scope="%s"`, needed)
				}
				unauthorized(w, challenge)
				return
			}
			next.ServeHTTP(w, r)
		})
		return mux, nil
	default:
		return nil, fmt.Errorf("there is no auth %q", opts.Auth)
	}
}

func hasPassword(r *http.Request, opts options) bool {
	user, password, ok := r.BasicAuth()
	return ok && same(user, opts.User) && same(password, opts.Password)
}

func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func unauthorized(w http.ResponseWriter, challenge string) {
	w.Header().Set("WWW-Authenticate", challenge)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(`{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`))
}

// scopeOf is what a request needs: repository:<name>:pull, or pull,push when it writes.
func scopeOf(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, "/v2/")
	for _, part := range []string{"/blobs/", "/manifests/", "/referrers/", "/tags/"} {
		if name, _, found := strings.Cut(path, part); found {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				return "repository:" + name + ":pull"
			}
			return "repository:" + name + ":pull,push"
		}
	}
	return ""
}

type grant struct {
	scopes  []string
	expires time.Time
}

type tokens struct {
	opts   options
	mutex  sync.Mutex
	issued map[string]grant
}

func (t *tokens) serve(w http.ResponseWriter, r *http.Request) {
	var query url.Values
	switch r.Method {
	case http.MethodGet:
		query = r.URL.Query()
		if !hasPassword(r, t.opts) {
			unauthorized(w, `Basic realm="token"`)
			return
		}
	case http.MethodPost:
		if err := r.ParseForm(); err != nil {
			http.Error(w, "form", http.StatusBadRequest)
			return
		}
		query = r.PostForm
		refresh := query.Get("grant_type") == "refresh_token" && t.opts.IdentityToken != ""
		if !refresh || !same(query.Get("refresh_token"), t.opts.IdentityToken) {
			unauthorized(w, `Basic realm="token"`)
			return
		}
	default:
		http.Error(w, "method", http.StatusMethodNotAllowed)
		return
	}
	var scopes []string
	for _, scope := range query["scope"] {
		scopes = append(scopes, strings.Fields(scope)...)
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	token := hex.EncodeToString(random)
	t.mutex.Lock()
	t.issued[token] = grant{scopes: scopes, expires: time.Now().Add(tokenLifetime)}
	t.mutex.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": int(tokenLifetime.Seconds())})
}

// allow says whether a token was issued for all that is needed, which is more than that it was issued.
func (t *tokens) allow(token, needed string) bool {
	t.mutex.Lock()
	held, found := t.issued[token]
	t.mutex.Unlock()
	if !found || time.Now().After(held.expires) {
		return false
	}
	if needed == "" {
		return true
	}
	name, actions := splitScope(needed)
	for _, scope := range held.scopes {
		heldName, heldActions := splitScope(scope)
		if heldName != name {
			continue
		}
		missing := slices.ContainsFunc(actions, func(action string) bool { return !slices.Contains(heldActions, action) })
		if !missing {
			return true
		}
	}
	return false
}

func splitScope(scope string) (string, []string) {
	at := strings.LastIndex(scope, ":")
	if at < 0 {
		return scope, nil
	}
	return scope[:at], strings.Split(scope[at+1:], ",")
}
