package api

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"rollcall/scheduler"
)

// infoView is the answer to GET /v2/info.
type infoView struct {
	Name        string         `json:"name"`
	Version     string         `json:"version"`
	BuildRef    string         `json:"buildref"`
	Elected     bool           `json:"elected"`
	Leader      string         `json:"leader,omitempty"`
	FrameworkID string         `json:"frameworkId,omitempty"`
	Marathon    map[string]any `json:"marathon_config"`
	ZooKeeper   map[string]any `json:"zookeeper_config"`
	HTTP        map[string]int `json:"http_config"`
	*caution
}

// caution is what keeps the scheduler from killing or replacing tasks, as GET /v2/info writes it with embed=caution:
// python-marathon refuses members that it does not know.
type caution struct {
	Breakers []*scheduler.Breaker `json:"healthBreakers"`
	Losses   lossesView           `json:"agentLosses"`
}

// cautionFor leaves out apps that who asks may not see.
func cautionFor(r *http.Request, s *scheduler.State) *caution {
	c := &caution{Breakers: []*scheduler.Breaker{}, Losses: lossesOf(s)}
	for b := range s.Breakers() {
		if b.App == scheduler.Root || require(r, roleRead, b.App) == nil {
			c.Breakers = append(c.Breakers, b)
		}
	}
	return c
}

type leaderView struct {
	Leader string `json:"leader"`
}

// info answers GET /v2/info.
func (a *API) info(w http.ResponseWriter, r *http.Request) error {
	config := a.o.Config
	if config == nil {
		config = map[string]any{}
	}
	zooKeeper := a.o.ZooKeeper
	if zooKeeper == nil {
		zooKeeper = map[string]any{}
	}
	httpConfig := map[string]int{"http_port": 0, "https_port": 0} // 0: not served
	if _, port, err := net.SplitHostPort(a.o.Leader); err == nil {
		if n, err := strconv.Atoi(port); err == nil {
			httpConfig[a.scheme()+"_port"] = n
		}
	}
	state := a.state()
	view := infoView{a.o.FrameworkName, a.o.Version, a.o.BuildRef, a.o.Leader != "", a.o.Leader, state.FrameworkID, config,
		zooKeeper, httpConfig, nil}
	if slices.Contains(a.query(r, "embed"), "caution") {
		view.caution = cautionFor(r, state)
	}
	return respond(w, r, http.StatusOK, view)
}

// leader answers GET /v2/leader.
func (a *API) leader(w http.ResponseWriter, r *http.Request) error {
	if a.o.Leader == "" {
		return notFound("There is no leader")
	}
	return respond(w, r, http.StatusOK, leaderView{a.o.Leader})
}

// abdicate answers DELETE /v2/leader.
func (a *API) abdicate(w http.ResponseWriter, r *http.Request) error {
	if a.o.Abdicate == nil {
		return conflict("This rollcall runs alone: there is no other that could lead. Stop or restart the process instead.")
	}
	a.o.Abdicate()
	return respond(w, r, http.StatusOK, map[string]string{"message": "Leadership abdicated"})
}

// plugins answers GET /v2/plugins.
func plugins(w http.ResponseWriter, r *http.Request) error {
	return respond(w, r, http.StatusOK, map[string][]string{"plugins": {}})
}

// ping answers GET /ping.
func ping(w http.ResponseWriter, r *http.Request) error {
	accept := r.Header.Get("Accept")
	if accept != "" && !accepts(accept, "text/plain") && accepts(accept, "application/json") {
		return respond(w, r, http.StatusOK, "pong")
	}
	return deliver(w, r, http.StatusOK, "text/plain; charset=utf-8", []byte("pong"))
}

// front answers GET / and GET /ui: the web page is elsewhere.
func front(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/ui/", http.StatusFound)
	return nil
}

// page answers GET /ui/ and what is below it.
func (a *API) page(w http.ResponseWriter, r *http.Request) error {
	if !strings.HasPrefix(r.URL.Path, "/ui/") {
		return front(w, r)
	}
	a.ui.ServeHTTP(w, r)
	return nil
}

// aboutView is the answer to GET /rollcall/about.
type aboutView struct {
	Version   string `json:"version"`
	Framework string `json:"framework"` // as a part of names
	Domain    string `json:"domain"`
	DNS       string `json:"dns"` // "host:port"; "" when it is off
}

// about answers GET /rollcall/about: what a page has to know to explain names.
func (a *API) about(w http.ResponseWriter, r *http.Request) error {
	dns := ""
	if a.o.Resolver != nil {
		dns = a.o.Resolver.Address().String()
	}
	return respond(w, r, http.StatusOK, aboutView{a.o.Version, a.o.FrameworkName, a.o.Domain, dns})
}

func noSubscriptions(http.ResponseWriter, *http.Request) error {
	return notFound("Event subscriptions by callback are not supported. Read GET /v2/events instead.")
}

func noLogging(http.ResponseWriter, *http.Request) error {
	return notFound("Log levels cannot be changed here: set log.level in the configuration file and send SIGHUP.")
}

func noConfig(http.ResponseWriter, *http.Request) error {
	return notFound("There is no /config. Read marathon_config in GET /v2/info.")
}

func noHelp(http.ResponseWriter, *http.Request) error {
	return notFound("There are no such pages. The API is described by GET /v2/openapi.json.")
}

func noPods(http.ResponseWriter, *http.Request) error {
	return notFound("Pods are not supported. Use apps: POST /v2/apps.")
}
