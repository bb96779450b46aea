package target

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Fly is a machine of fly.io, started and stopped by its Machines API
// (https://fly.io/docs/machines/api/machines-resource/).
type Fly struct {
	Name  string // APP/MACHINE
	Token string // FLY_API_TOKEN of the environment if it is empty
	API   string // where it is; FLY_API_HOSTNAME of the environment, or fly.io's, if it is empty

	client http.Client
}

const (
	flyTokenVar = "FLY_API_TOKEN"
	flyHostVar  = "FLY_API_HOSTNAME"
	flyHost     = "https://api.machines.dev"
)

func (f *Fly) String() string { return "fly:" + f.Name }

// Validate tells whether there is a name, and a token for it.
func (f *Fly) Validate() error {
	app, machine, _ := strings.Cut(f.Name, "/")
	if app == "" || machine == "" || strings.ContainsAny(machine, "/?#") {
		return fmt.Errorf("%q is not APP/MACHINE, such as my-app/148ed123456789", f.Name)
	}
	if f.token() == "" {
		return fmt.Errorf("no token; set %s (fly tokens create deploy -a %s makes one)", flyTokenVar, app)
	}
	if _, err := url.Parse(f.host()); err != nil {
		return fmt.Errorf("%s: %w", flyHostVar, err)
	}
	return nil
}

func (f *Fly) token() string { return strings.TrimSpace(cmp.Or(f.Token, os.Getenv(flyTokenVar))) }

func (f *Fly) host() string {
	host := strings.TrimSuffix(cmp.Or(f.API, os.Getenv(flyHostVar), flyHost), "/")
	if !strings.Contains(host, "://") {
		return "https://" + host
	}
	return host
}

// url is that of the machine, with more behind it.
func (f *Fly) url(more string) string {
	app, machine, _ := strings.Cut(f.Name, "/")
	return fmt.Sprintf("%s/v1/apps/%s/machines/%s%s", f.host(), url.PathEscape(app), url.PathEscape(machine), more)
}

// authorization is the header that says who we are. Tokens of one kind have their
// scheme with them.
func (f *Fly) authorization() string {
	if token := f.token(); strings.HasPrefix(token, "FlyV1 ") {
		return token
	}
	return "Bearer " + f.token()
}

// Check asks for the machine, so that a wrong name or token is known in time.
func (f *Fly) Check(ctx context.Context) error {
	err := f.Validate()
	if err == nil {
		_, err = f.get(ctx)
	}
	if err != nil {
		return fmt.Errorf("look for %s: %w", f, err)
	}
	return nil
}

// Start starts the machine and waits until its state is started, which is before its
// programs listen.
func (f *Fly) Start(ctx context.Context) error {
	err := f.Validate()
	if err == nil {
		err = f.start(ctx)
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", f, err)
	}
	return nil
}

// start asks for a start first and for the state only if that was refused.
func (f *Fly) start(ctx context.Context) error {
	for {
		err := f.call(ctx, flyCall{method: http.MethodPost, path: "/start"})
		if err == nil {
			err = f.wait(ctx, "started", "")
		}
		if err == nil || !flyStatus(err, http.StatusPreconditionFailed, http.StatusConflict, http.StatusRequestTimeout) {
			return err
		}
		m, gerr := f.get(ctx)
		switch {
		case gerr != nil:
			return gerr
		case m.State == "started":
			return nil
		case m.gone():
			return fmt.Errorf("the machine is %s", m.State)
		}
		// It is on its way from one state to another, or somebody else's.
		if perr := flyPause(ctx); perr != nil {
			return fmt.Errorf("%w; the machine is %s", err, m.State)
		}
	}
}

// Stop stops the machine and waits until it has. It takes the machine's lease before,
// so that nobody changes the machine at the same time, and gives it back.
func (f *Fly) Stop(ctx context.Context) error {
	err := f.Validate()
	if err == nil {
		err = f.stop(ctx)
	}
	if err != nil {
		return fmt.Errorf("stop %s: %w", f, err)
	}
	return nil
}

func (f *Fly) stop(ctx context.Context) error {
	m, err := f.get(ctx)
	if err != nil || m.asleep() {
		return err
	}
	nonce, err := f.lease(ctx)
	if err != nil {
		return err
	}
	defer f.release(nonce)
	for {
		// Only now nobody else changes it.
		if m, err = f.get(ctx); err != nil || m.asleep() {
			return err
		}
		err := f.call(ctx, flyCall{method: http.MethodPost, path: "/stop", nonce: nonce})
		if err == nil {
			err = f.wait(ctx, "stopped", m.InstanceID)
		}
		if err == nil || !flyStatus(err, http.StatusPreconditionFailed, http.StatusRequestTimeout) {
			return err
		}
		if flyPause(ctx) != nil {
			return err
		}
	}
}

// lease takes the machine's lease, as soon as nobody else has it. It ends by itself
// when ours should have ended, lest a crash of ours leaves the machine to nobody.
func (f *Fly) lease(ctx context.Context) (nonce string, err error) {
	ttl := time.Minute
	if deadline, ok := ctx.Deadline(); ok {
		ttl = max(time.Until(deadline), time.Second) + 10*time.Second
	}
	body := map[string]any{"description": "waggle", "ttl": int(ttl / time.Second)}
	var answer struct {
		Data struct {
			Nonce string `json:"nonce"`
		} `json:"data"`
	}
	for {
		err := f.call(ctx, flyCall{method: http.MethodPost, path: "/lease", body: body, answer: &answer})
		switch {
		case err == nil && answer.Data.Nonce == "":
			return "", errors.New("the lease has no nonce")
		case err == nil:
			return answer.Data.Nonce, nil
		case !flyStatus(err, http.StatusConflict) || flyPause(ctx) != nil:
			return "", fmt.Errorf("take its lease: %w", err)
		}
	}
}

// release gives the lease back. If that goes wrong it ends by itself.
func (f *Fly) release(nonce string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = f.call(ctx, flyCall{method: http.MethodDelete, path: "/lease", nonce: nonce})
}

// flyMachine is what there is to know of a machine.
type flyMachine struct {
	State      string `json:"state"`
	InstanceID string `json:"instance_id"` // of its version
}

// asleep tells whether there is nothing to be stopped.
func (m flyMachine) asleep() bool { return m.State == "stopped" || m.State == "suspended" || m.gone() }

// gone tells whether the machine will never run again.
func (m flyMachine) gone() bool { return m.State == "destroyed" || m.State == "destroying" }

func (f *Fly) get(ctx context.Context) (m flyMachine, err error) {
	return m, f.call(ctx, flyCall{method: http.MethodGet, answer: &m})
}

// flyWait is the longest that the API waits for a state.
const flyWait = 60 * time.Second

// wait waits for a state. The API wants to know of which version of the machine if it
// is that of having stopped.
func (f *Fly) wait(ctx context.Context, state, instance string) error {
	limit := flyWait
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, max(time.Until(deadline), time.Second))
	}
	query := url.Values{"state": {state}, "timeout": {fmt.Sprint(int(limit / time.Second))}}
	if instance != "" {
		query.Set("instance_id", instance)
	}
	return f.call(ctx, flyCall{method: http.MethodGet, path: "/wait?" + query.Encode(), patience: limit + flyPatience})
}

// flyCall is a call of the API.
type flyCall struct {
	method, path string
	nonce        string        // of the lease; may be empty
	body, answer any           // JSON; may be nil
	patience     time.Duration // for one try; flyPatience if 0
}

const (
	flyPatience = 15 * time.Second
	flyTries    = 4
	flyMost     = 1 << 20 // bytes of an answer
)

// call makes a call, again if that may help.
func (f *Fly) call(ctx context.Context, c flyCall) error {
	for try := 1; ; try++ {
		err := f.try(ctx, &c)
		var status *flyError
		known := errors.As(err, &status)
		again := err != nil && !known || known && (status.code == http.StatusTooManyRequests || status.code >= 500)
		if !again || try == flyTries || ctx.Err() != nil || flyPause(ctx) != nil {
			return err
		}
	}
}

// flyPause waits a moment, if the context does not end before.
func flyPause(ctx context.Context) error {
	select {
	case <-time.After(500 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *Fly) try(ctx context.Context, c *flyCall) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.patience, flyPatience))
	defer cancel()
	var body io.Reader
	if c.body != nil {
		text, err := json.Marshal(c.body)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, f.url(c.path), body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", f.authorization())
	req.Header.Set("User-Agent", "waggle")
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.nonce != "" {
		req.Header.Set("Fly-Machine-Lease-Nonce", c.nonce)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, flyMost))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return newFlyError(resp.StatusCode, text)
	}
	if c.answer == nil {
		return nil
	}
	if err := json.Unmarshal(text, c.answer); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// flyError is an answer that is no success.
type flyError struct {
	code int
	text string
}

func newFlyError(code int, body []byte) error {
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil || said.Error == "" {
		said.Error = http.StatusText(code)
	}
	return &flyError{code, said.Error}
}

func (e *flyError) Error() string {
	text := fmt.Sprintf("the API says %d: %s", e.code, e.text)
	if e.code == http.StatusUnauthorized || e.code == http.StatusForbidden {
		text += "; is " + flyTokenVar + " a token for this app?"
	}
	return text
}

// flyStatus tells whether an error is an answer with one of these status codes.
func flyStatus(err error, codes ...int) bool {
	var e *flyError
	if !errors.As(err, &e) {
		return false
	}
	for _, code := range codes {
		if e.code == code {
			return true
		}
	}
	return false
}
