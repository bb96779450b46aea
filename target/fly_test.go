package target

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// flyAPI is a Machines API with one machine. What it does not know it refuses, as the
// real one does.
type flyAPI struct {
	mu    sync.Mutex
	state string
	nonce string // of the lease, "" for none
	calls []string
	// Each call takes the first of these away and gets it as its answer.
	trouble []int
	// later are the states that the machine takes on by itself, one at each look.
	later []string
}

func (a *flyAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	call := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/v1/apps/shop/machines/148e")
	if state := r.URL.Query().Get("state"); state != "" {
		call += " " + state + " " + r.URL.Query().Get("instance_id")
	}
	a.calls = append(a.calls, strings.TrimSpace(call))
	if len(a.trouble) > 0 {
		code := a.trouble[0]
		a.trouble = a.trouble[1:]
		if code != 0 {
			fail(w, code, "trouble")
			return
		}
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		fail(w, http.StatusUnauthorized, "unauthorized")
	case !strings.HasPrefix(r.URL.Path, "/v1/apps/shop/machines/148e"):
		fail(w, http.StatusNotFound, "machine not found")
	default:
		a.serve(w, r)
	}
}

func fail(w http.ResponseWriter, code int, text string) {
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}

func (a *flyAPI) serve(w http.ResponseWriter, r *http.Request) {
	nonce := r.Header.Get("Fly-Machine-Lease-Nonce")
	switch r.Method + strings.TrimPrefix(r.URL.Path, "/v1/apps/shop/machines/148e") {
	case "GET":
		_ = json.NewEncoder(w).Encode(map[string]string{"id": "148e", "state": a.state, "instance_id": "01H"})
		if len(a.later) > 0 {
			a.state, a.later = a.later[0], a.later[1:]
		}
	case "POST/start":
		if a.state != "stopped" && a.state != "suspended" && a.state != "started" {
			fail(w, http.StatusPreconditionFailed, "unable to start machine from current state: '"+a.state+"'")
			return
		}
		a.state = "started"
		fmt.Fprint(w, `{"previous_state":"stopped"}`)
	case "POST/stop":
		if a.nonce == "" || nonce != a.nonce {
			fail(w, http.StatusConflict, "no lease")
			return
		}
		a.state = "stopped"
		fmt.Fprint(w, `{"ok":true}`)
	case "POST/lease":
		var body struct{ TTL int }
		if json.NewDecoder(r.Body).Decode(&body) != nil || body.TTL <= 0 {
			fail(w, http.StatusBadRequest, "no ttl")
			return
		}
		if a.nonce != "" {
			fail(w, http.StatusConflict, "lease is held")
			return
		}
		a.nonce = "n1"
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"status":"success","data":{"nonce":"n1"}}`)
	case "DELETE/lease":
		if nonce != a.nonce {
			fail(w, http.StatusConflict, "lease is held")
			return
		}
		a.nonce = ""
	case "GET/wait":
		q := r.URL.Query()
		if q.Get("state") == "stopped" && q.Get("instance_id") == "" {
			fail(w, http.StatusBadRequest, "instance_id is missing")
			return
		}
		if a.state != q.Get("state") {
			fail(w, http.StatusRequestTimeout, "machine failed to reach desired state, "+q.Get("state")+", currently "+a.state)
			return
		}
		fmt.Fprint(w, `{"ok":true}`)
	default:
		fail(w, http.StatusNotFound, "not found")
	}
}

func newFly(t *testing.T, a *flyAPI) *Fly {
	t.Helper()
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	f := &Fly{Name: "shop/148e", Token: "secret", API: s.URL}
	t.Cleanup(f.client.CloseIdleConnections)
	return f
}

func TestFly(t *testing.T) {
	start, stop := (*Fly).Start, (*Fly).Stop
	for _, test := range []struct {
		name string
		api  *flyAPI
		do   func(*Fly, context.Context) error
		want []string
	}{
		{"start", &flyAPI{state: "stopped"}, start,
			[]string{"POST /start", "GET /wait started"}},
		{"start what runs", &flyAPI{state: "started"}, start,
			[]string{"POST /start", "GET /wait started"}},
		{"start what still stops", &flyAPI{state: "stopping", later: []string{"stopped"}}, start,
			[]string{"POST /start", "GET", "POST /start", "GET /wait started"}},
		{"start what somebody else starts", &flyAPI{state: "starting", later: []string{"started"}}, start,
			[]string{"POST /start", "GET", "POST /start", "GET /wait started"}},
		{"start with trouble", &flyAPI{state: "stopped", trouble: []int{503, 429, 0, 502}}, start,
			[]string{"POST /start", "POST /start", "POST /start", "GET /wait started", "GET /wait started"}},
		{"start that takes long", &flyAPI{state: "stopped", trouble: []int{0, 408}}, start,
			[]string{"POST /start", "GET /wait started", "GET"}},
		{"stop", &flyAPI{state: "started"}, stop,
			[]string{"GET", "POST /lease", "GET", "POST /stop", "GET /wait stopped 01H", "DELETE /lease"}},
		{"stop what is stopped", &flyAPI{state: "stopped"}, stop,
			[]string{"GET"}},
		{"stop what somebody else stops meanwhile", &flyAPI{state: "started", later: []string{"stopped"}}, stop,
			[]string{"GET", "POST /lease", "GET", "DELETE /lease"}},
		{"stop while somebody has the lease", &flyAPI{state: "started", trouble: []int{0, 409}}, stop,
			[]string{"GET", "POST /lease", "POST /lease", "GET", "POST /stop", "GET /wait stopped 01H", "DELETE /lease"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := test.api
			f := newFly(t, a)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := test.do(f, ctx); err != nil {
				t.Error(err)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if diff := cmp.Diff(test.want, a.calls); diff != "" {
				t.Error(diff)
			}
			if a.nonce != "" {
				t.Error("the lease was not given back")
			}
		})
	}
}

func TestFlyErrors(t *testing.T) {
	for _, test := range []struct {
		name string
		fly  *Fly
		api  *flyAPI
		do   func(*Fly, context.Context) error
		want string
	}{
		{"wrong token", &Fly{Name: "shop/148e", Token: "guess"}, &flyAPI{}, (*Fly).Check,
			"look for fly:shop/148e: the API says 401: unauthorized; is FLY_API_TOKEN a token for this app?"},
		{"no such machine", &Fly{Name: "shop/999", Token: "secret"}, &flyAPI{}, (*Fly).Start,
			"start fly:shop/999: the API says 404: machine not found"},
		{"no machine", &Fly{Name: "shop", Token: "secret"}, &flyAPI{}, (*Fly).Start,
			`start fly:shop: "shop" is not APP/MACHINE, such as my-app/148ed123456789`},
		{"no token", &Fly{Name: "shop/148e"}, &flyAPI{}, (*Fly).Check,
			"look for fly:shop/148e: no token; set FLY_API_TOKEN (fly tokens create deploy -a shop makes one)"},
		{"destroyed", &Fly{Name: "shop/148e", Token: "secret"}, &flyAPI{state: "destroyed"}, (*Fly).Start,
			"start fly:shop/148e: the machine is destroyed"},
		{"stays as it is", &Fly{Name: "shop/148e", Token: "secret"}, &flyAPI{state: "replacing"}, (*Fly).Start,
			"start fly:shop/148e: the API says 412: unable to start machine from current state: 'replacing'; the machine is replacing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(flyTokenVar, "")
			f := newFly(t, test.api)
			f.Name, f.Token = test.fly.Name, test.fly.Token
			ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
			defer cancel()
			err := test.do(f, ctx)
			if err == nil || err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}
