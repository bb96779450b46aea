package target

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	t.Setenv(flyTokenVar, "")
	for _, test := range []struct {
		target Target
		want   string // "" for fine
	}{
		{&Exec{Command: "sleep 1"}, ""},
		{&Exec{Command: "if true; then sleep 1; fi"}, ""},
		{&Exec{Command: "cd / && sleep 1"}, ""},
		{&Exec{Command: "HOME=/ nobody-has-this"}, ""}, // can't be known
		{&Exec{Command: "$SERVER -p 1"}, ""},
		{&Exec{Command: "nobody-has-this -p 1"}, `look for command "nobody-has-this": not found`},
		{&Exec{Command: "/nowhere/server"}, `look for command "/nowhere/server": not found`},
		{&Container{Name: "web"}, "look for container web: ask Docker: dial unix "},
		{&Fly{Name: "a/b"}, "look for fly:a/b: no token"},
		{&WakeOnLAN{Name: "00:1b:21:0a:0b:0c"}, ""},
		{&Freezer{Dir: "/nowhere"}, "look for cgroup: open /nowhere/cgroup.freeze: no such file or directory; is that a cgroup"},
	} {
		err := Check(t.Context(), test.target)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", test.target, err, test.want)
		}
	}
}

func TestParseValidates(t *testing.T) {
	t.Setenv(flyTokenVar, "")
	for text, want := range map[string]string{
		"wol:00:1b": `read target "wol:00:1b": "00:1b" is not a MAC address`,
		"fly:shop":  `read target "fly:shop": "shop" is not APP/MACHINE`,
		"fly:a/b":   `read target "fly:a/b": no token; set FLY_API_TOKEN`,

		"docker:../images/x": `read target "docker:../images/x": "../images/x" is not the name of a container`,
		"docker:web?x=y":     `read target "docker:web?x=y": "web?x=y" is not the name`,
	} {
		if _, err := Parse(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	t.Setenv(flyTokenVar, "x")
	for _, text := range []string{"wol:00:1b:21:0a:0b:0c", "wol:00:1b:21:0a:0b:0c@10.0.0.255:9", "fly:a/b", "docker:my_web.1-x", "docker:/web"} {
		target, err := Parse(text)
		if err != nil || target.String() != text {
			t.Errorf("%s: got %v, %v", text, target, err)
		}
	}
}

func TestCheckContainer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/containers/web/json" {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"No such container"}`)
			return
		}
		fmt.Fprint(w, `{"Id":"1"}`)
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	for _, name := range []string{"web", "/web"} {
		if err := Check(t.Context(), &Container{Name: name, Socket: socket}); err != nil {
			t.Error(err)
		}
	}
	err = Check(t.Context(), &Container{Name: "db", Socket: socket})
	if want := "look for container db: the daemon says: No such container"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
