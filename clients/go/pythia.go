// Package pythia searches and answers from your own code and documents, over the Unix socket of `pythia serve`.
//
//	p, err := pythia.Start(ctx, pythia.Options{})
//	defer p.Stop()
//	p.AddDocuments(ctx, "", []pythia.Document{{ID: "soup", Text: "Simmer ripe tomatoes with basil."}})
//	found, err := p.Search(ctx, "what to cook", pythia.Limit(3))
//
// The protocol: 4 bytes of length, big-endian, then JSON, both ways. A Pythia may be used by any number of goroutines; their
// calls are under way at once on the one connection. Only the standard library is used.
package pythia

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const (
	frameMax  = 64 << 20 // bytes of a message; the server's limit, too
	startTime = 60 * time.Second
	stopTime  = 15 * time.Second // the server gives calls that are under way 8 s
	logKept   = 4096             // last bytes of what the server logs, for an error at its start
)

// Error is what went wrong: a code for programs ("usage", "no_collection", "closed", "start" …), and the command that mends it.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
}

func (e *Error) Error() string { return e.Message }

// Options of Start. The zero value is fine.
type Options struct {
	Binary string   // "pythia" when empty
	Home   string   // the data folder (PYTHIA_HOME)
	Args   []string // more flags of `pythia serve`
}

// Pythia is one connection to a server.
type Pythia struct {
	conn    net.Conn
	writing sync.Mutex // one frame at a time

	mu      sync.Mutex // guards what follows
	last    int64
	waiting map[int64]chan answer
	broken  error

	process *exec.Cmd // of Start
	ended   chan struct{}
	folder  string
	log     *tail
}

type answer struct {
	Result json.RawMessage `json:"result"`
	Err    *Error          `json:"error"`
	broken error
}

// Dial connects to a server that runs: `pythia serve --socket path`.
func Dial(ctx context.Context, path string) (*Pythia, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, &Error{"closed", fmt.Sprintf("no server at '%s': %v", path, err), "pythia serve --socket " + path}
	}
	p := &Pythia{conn: conn, waiting: map[int64]chan answer{}}
	go p.read()
	return p, nil
}

// Start runs a server of one's own, which Stop ends.
func Start(ctx context.Context, o Options) (*Pythia, error) {
	binary := o.Binary
	if binary == "" {
		binary = "pythia"
	}
	folder, err := os.MkdirTemp("", "pythia-")
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(folder, "s")
	cmd := exec.Command(binary, append([]string{"serve", "--socket", socket}, o.Args...)...)
	cmd.Env = os.Environ()
	if o.Home != "" {
		cmd.Env = append(cmd.Env, "PYTHIA_HOME="+o.Home)
	}
	log := &tail{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		os.RemoveAll(folder)
		return nil, &Error{Code: "start", Message: fmt.Sprintf("cannot run '%s': %v", binary, err)}
	}
	ended := make(chan struct{})
	if err = waitReady(ctx, cmd, out); err == nil {
		var p *Pythia
		if p, err = Dial(ctx, socket); err == nil {
			p.process, p.ended, p.folder, p.log = cmd, ended, folder, log
			go func() { _, _ = io.Copy(io.Discard, out); _ = cmd.Wait(); close(ended) }()
			return p, nil
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	os.RemoveAll(folder)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if said := log.text(); said != "" {
		err = errors.New(said)
	}
	return nil, &Error{Code: "start", Message: fmt.Sprintf("the server did not start: %v", err)}
}

// waitReady reads the line that says that calls are accepted.
func waitReady(ctx context.Context, cmd *exec.Cmd, out io.Reader) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var ready struct{ Status string }
	if err == nil && json.Unmarshal(line, &ready) == nil && ready.Status == "ready" {
		return nil
	}
	state, waited := "no line on its standard output", cmd.Wait()
	if waited != nil || cmd.ProcessState != nil {
		state = cmd.ProcessState.String()
	}
	return errors.New(state)
}

// Stop ends the server when Start began it: what is under way is answered first. Then it closes the connection.
func (p *Pythia) Stop() error {
	p.mu.Lock()
	cmd := p.process
	p.process = nil
	p.mu.Unlock()
	if cmd == nil {
		return p.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := p.Call(ctx, "shutdown", nil, nil); err != nil {
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		<-p.ended
	}
	_ = p.Close()
	_ = os.RemoveAll(p.folder)
	if !cmd.ProcessState.Success() {
		return &Error{Code: "stop", Message: "the server ended with " + cmd.ProcessState.String()}
	}
	return nil
}

// Close closes the connection; a server that Start began goes on until Stop.
func (p *Pythia) Close() error { return p.conn.Close() }

// Call makes any call by its name, as in REST, and unmarshals the reply into out (nil: drops it).
func (p *Pythia) Call(ctx context.Context, method string, params map[string]any, out any) error {
	if params == nil {
		params = map[string]any{}
	}
	mine := make(chan answer, 1)
	p.mu.Lock()
	if p.broken != nil {
		p.mu.Unlock()
		return p.broken
	}
	p.last++
	id := p.last
	p.waiting[id] = mine
	p.mu.Unlock()
	err := p.send(map[string]any{"id": id, "method": method, "params": params})
	if err != nil {
		p.forget(id)
		return err
	}
	select {
	case got := <-mine:
		return got.into(out)
	case <-ctx.Done():
		p.forget(id)
		return ctx.Err()
	}
}

func (a answer) into(out any) error {
	if a.broken != nil {
		return a.broken
	}
	if a.Err != nil {
		return a.Err
	}
	if a.Result == nil {
		return &Error{Code: "unknown", Message: "neither a result nor an error"}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(a.Result, out)
}

func (p *Pythia) forget(id int64) {
	p.mu.Lock()
	delete(p.waiting, id)
	p.mu.Unlock()
}

func (p *Pythia) send(message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(body) > frameMax {
		return &Error{Code: "limit", Message: fmt.Sprintf("the request has %d bytes; at most %d are taken", len(body), frameMax)}
	}
	frame := append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body))), body...)
	p.writing.Lock()
	_, err = p.conn.Write(frame)
	p.writing.Unlock()
	if err != nil {
		return &Error{Code: "closed", Message: fmt.Sprintf("the connection is closed: %v", err)}
	}
	return nil
}

// read hands answers to those who wait, until the connection ends.
func (p *Pythia) read() {
	in := bufio.NewReaderSize(p.conn, 64<<10)
	err := p.readAll(in)
	_ = p.conn.Close()
	broken := &Error{Code: "closed", Message: fmt.Sprintf("the connection is closed: %v", err)}
	p.mu.Lock()
	p.broken = broken
	waiting := p.waiting
	p.waiting = map[int64]chan answer{}
	p.mu.Unlock()
	for _, mine := range waiting {
		mine <- answer{broken: broken}
	}
}

func (p *Pythia) readAll(in io.Reader) error {
	for {
		var head [4]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		size := binary.BigEndian.Uint32(head[:])
		if size > frameMax {
			return fmt.Errorf("the server says that a message has %d bytes", size)
		}
		var body bytes.Buffer // grows as bytes come: a length alone takes no memory
		if n, err := io.CopyN(&body, in, int64(size)); err != nil || n < int64(size) {
			return io.ErrUnexpectedEOF
		}
		var message struct {
			ID int64 `json:"id"`
			answer
		}
		if err := json.Unmarshal(body.Bytes(), &message); err != nil {
			return err
		}
		p.mu.Lock()
		mine := p.waiting[message.ID]
		delete(p.waiting, message.ID)
		p.mu.Unlock()
		if mine != nil { // else it came too late
			mine <- message.answer
		}
	}
}

// tail keeps the last bytes that were written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if len(t.kept) > logKept {
		t.kept = append([]byte(nil), t.kept[len(t.kept)-logKept:]...)
	}
	return len(b), nil
}

func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.kept))
}
