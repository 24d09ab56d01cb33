package exporter

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// tab is one page of a real browser, driven by its remote debugging socket.
type tab struct {
	t      *testing.T
	socket *websocket.Conn
	last   int
	broken []string // what the page's console complained of
}

type message struct {
	ID     int             `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func openTab(t *testing.T, url string) *tab {
	t.Helper()
	profile, err := os.MkdirTemp("", "camcensus-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool(t, "chromium", "chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
		"--remote-allow-origins=*", "--user-data-dir="+profile, "about:blank")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // its helpers end with it
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
		_ = cmd.Wait()
		for range 50 { // a helper may write a last file while it is killed
			if os.RemoveAll(profile) == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	address := regexp.MustCompile(`ws://([^/]+)/`)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if found := address.FindStringSubmatch(lines.Text()); found != nil {
			go func() {
				for lines.Scan() { // so that the browser never waits for a reader
				}
			}()
			return attach(t, found[1], url)
		}
	}
	t.Fatal("chromium named no debugging address")
	return nil
}

func attach(t *testing.T, host, url string) *tab {
	t.Helper()
	// The browser's own socket can make a page; its id then names its socket.
	b := &tab{t: t}
	browser, err := browserSocket(host)
	if err != nil {
		t.Fatal(err)
	}
	b.socket = browser
	var made struct {
		TargetID string `json:"targetId"`
	}
	b.ask("Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	socket, err := websocket.Dial("ws://"+host+"/devtools/page/"+made.TargetID, "", "http://localhost")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = browser.Close(); _ = socket.Close() })
	p := &tab{t: t, socket: socket}
	p.ask("Runtime.enable", nil, nil)
	p.ask("Log.enable", nil, nil)
	p.ask("Page.enable", nil, nil)
	p.ask("Page.navigate", map[string]any{"url": url}, nil)
	p.until(`document.documentElement.classList.contains("scripted")`)
	return p
}

func browserSocket(host string) (*websocket.Conn, error) {
	answer, err := http.Get("http://" + host + "/json/version")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var version struct {
		URL string `json:"webSocketDebuggerUrl"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&version); err != nil {
		return nil, err
	}
	return websocket.Dial(version.URL, "", "http://localhost")
}

// ask sends one command and waits for its answer; what the console says
// meanwhile is kept.
func (p *tab) ask(method string, params map[string]any, result any) {
	p.t.Helper()
	p.last++
	if params == nil {
		params = map[string]any{}
	}
	_ = p.socket.SetDeadline(time.Now().Add(30 * time.Second))
	if err := websocket.JSON.Send(p.socket, map[string]any{"id": p.last, "method": method, "params": params}); err != nil {
		p.t.Fatal(err)
	}
	for {
		var m message
		if err := websocket.JSON.Receive(p.socket, &m); err != nil {
			p.t.Fatalf("%s: %v", method, err)
		}
		switch {
		case m.Method == "Runtime.exceptionThrown", m.Method == "Log.entryAdded" && strings.Contains(string(m.Params), `"level":"error"`):
			p.broken = append(p.broken, string(m.Params))
		case m.ID == p.last && m.Error != nil:
			p.t.Fatalf("%s: %s", method, m.Error)
		case m.ID == p.last:
			if result != nil {
				if err := json.Unmarshal(m.Result, result); err != nil {
					p.t.Fatal(err)
				}
			}
			return
		}
	}
}

func (p *tab) eval(script string) string {
	p.t.Helper()
	var answer struct {
		Result struct {
			Value any `json:"value"`
		} `json:"result"`
	}
	p.ask("Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true, "awaitPromise": true}, &answer)
	return fmt.Sprint(answer.Result.Value)
}

// until waits for a condition in the page.
func (p *tab) until(script string) {
	p.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for p.eval(script) != "true" {
		if time.Now().After(deadline) {
			p.t.Fatalf("it never came to: %s\nconsole: %v\npage: %s", script, p.broken, p.eval("document.body.innerText"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestBrowserShowsProgressAndChangesAsTheyCome(t *testing.T) {
	a := newTestAgent()
	server := httptest.NewServer(newTestExporter(t, a))
	t.Cleanup(server.CloseClientConnections)
	p := openTab(t, server.URL+"/")
	a.changes <- StreamEvent{Type: "progress", Data: Progress{Running: true, Cycle: 9, Phase: "identify", Done: 3, Total: 4, Found: 77}}
	p.until(`document.querySelector("[data-found]").textContent === "77" && document.getElementById("cycle").value === 3`)

	next := *a.snapshot
	next.Devices = append(testDevices(), testDevice(77, "Axis", "Axis", "NEW-1", "camera", "clear", ""))
	a.set(&next)
	a.changes <- StreamEvent{Type: "device"}
	p.until(`document.body.innerText.includes("Axis NEW-1")`)
	if len(p.broken) > 0 {
		t.Errorf("the console complains: %s", p.broken)
	}
}

func TestBrowserFormsReachTheAgent(t *testing.T) {
	a := newTestAgent()
	server := httptest.NewServer(newTestExporter(t, a))
	t.Cleanup(server.CloseClientConnections)
	p := openTab(t, server.URL+"/devices/d-test000000031")
	fill := func(api, script string) {
		p.eval(`(() => { const form = document.querySelector('form[data-api$="` + api + `"]'); ` + script + `; form.requestSubmit(); })()`)
	}
	for _, c := range []struct{ api, script, noted string }{
		{"/determination", `form.manufacturer.value = "Axis"; form.date.value = "2026-11-01"`, "determine d-test000000031 as Axis by local on label"},
		{"/exceptions", `form.owner.value = "Marie"; form.reason.value = "spring"; form.expires.value = "2027-03-01"`,
			"except d-test000000031 under ca-hikvision-2025 owner Marie reason spring until 2027-03-01T23:59:59Z by local"},
		{"/annotations", `form.location.value = "Roof"`, "annotate d-test000000031 location Roof owner kept false by local"},
		{"/removal", `form.reason.value = "scrapped"`, "remove d-test000000031: scrapped by local"},
	} {
		p.eval(`window.before = true`)
		fill(c.api, c.script)
		p.until(`window.before === undefined && document.documentElement.classList.contains("scripted")`)
		if got := a.noted(); got != c.noted {
			t.Errorf("%s: the agent was told %q, want %q", c.api, got, c.noted)
		}
	}
	a.refuse(ErrConflict)
	fill("/removal", `form.reason.value = "again"`)
	p.until(`(document.querySelector('[role="alert"]') || {}).textContent === "It was not done: conflict"`)
}
