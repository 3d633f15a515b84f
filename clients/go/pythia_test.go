package pythia

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var soupAndLamp = []Document{
	{ID: "soup", Title: "Soup", Text: "Simmer ripe tomatoes with basil for twenty minutes."},
	{ID: "lamp", Text: "The keeper lights the lamp of the lighthouse at dusk."},
}

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// home is a data folder with the model in it.
func home(t *testing.T) string {
	model := os.Getenv("PYTHIA_TEST_MODEL")
	if _, err := os.Stat(model); err != nil {
		t.Fatalf("PYTHIA_TEST_MODEL=%q is no file; run: make test", model)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "models"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(model, filepath.Join(dir, "models", "all-minilm-l6-v2.gguf")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T) *Pythia {
	binary := os.Getenv("PYTHIA_BINARY")
	if binary == "" {
		t.Fatal("PYTHIA_BINARY is not set; run: make test")
	}
	p, err := Start(patience(t), Options{Binary: binary, Home: home(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop() })
	return p
}

func wantCode(t *testing.T, err error, code, part string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, part) {
		t.Fatalf("got %#v, want code %q with %q", err, code, part)
	}
}

func TestDocumentsArePutAndFound(t *testing.T) {
	ctx, p := patience(t), start(t)
	h, err := p.Health(ctx)
	if err != nil || h.Status != "ok" || h.Version == "" {
		t.Fatal(h, err)
	}
	added, err := p.AddDocuments(ctx, "", soupAndLamp)
	if err != nil || added.Documents != 2 || added.Chunks != 2 {
		t.Fatal(added, err)
	}
	found, err := p.Search(ctx, "who lights the lamp", Limit(1))
	if err != nil || len(found.Results) != 1 || found.Results[0].Path != "lamp" || found.Results[0].Score <= 0 {
		t.Fatal(found, err)
	}
	if _, err = p.AddDocuments(ctx, "other", []Document{{Text: "Nobody."}}); err != nil {
		t.Fatal(err)
	}
	found, err = p.Search(ctx, "tomatoes", With("mode", "lexical"), With("collections", []string{"other"}))
	if err != nil || len(found.Results) != 0 {
		t.Fatal(found, err)
	}
	answer, err := p.Ask(ctx, "How long does the soup simmer?", With("abstain", 0))
	if err != nil || !strings.Contains(answer.Answer, "twenty minutes") || len(answer.Citations) == 0 {
		t.Fatal(answer, err)
	}
	vectors, err := p.Embed(ctx, []string{"a", "b"}, With("kind", "query"))
	if err != nil || len(vectors) != 2 || len(vectors[1]) != 384 {
		t.Fatal(len(vectors), err)
	}
	var all struct{ Collections []struct{ Name string } }
	if err = p.Call(ctx, "collections", nil, &all); err != nil || len(all.Collections) != 2 {
		t.Fatal(all, err)
	}
}

func TestManyGoroutinesShareAConnection(t *testing.T) {
	ctx, p := patience(t), start(t)
	if _, err := p.AddDocuments(ctx, "", soupAndLamp); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := 0; i < 60; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			found, err := p.Search(ctx, []string{"tomatoes", "lamp"}[i%2], With("mode", "lexical"))
			if err != nil || len(found.Results) == 0 || found.Results[0].Path != []string{"soup", "lamp"}[i%2] {
				t.Error(i, found, err)
			}
		}(i)
	}
	all.Wait()
}

func TestErrorsAreTold(t *testing.T) {
	ctx, p := patience(t), start(t)
	if _, err := p.AddDocuments(ctx, "", soupAndLamp); err != nil {
		t.Fatal(err)
	}
	_, err := p.Search(ctx, "")
	wantCode(t, err, "usage", "'query'")
	_, err = p.Search(ctx, "a", With("collections", []string{"nowhere"}))
	wantCode(t, err, "no_collection", "nowhere")
	_, err = p.Search(ctx, "a", With("nonsense", 1))
	wantCode(t, err, "usage", "unknown field 'nonsense'")
	wantCode(t, p.Call(ctx, "nonsense", nil, nil), "usage", "unknown method 'nonsense'")
	wantCode(t, p.Call(ctx, "health", map[string]any{"x": strings.Repeat("y", 65<<20)}, nil), "limit", "at most")
	if _, err = p.Health(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	ctx := patience(t)
	_, err := Start(ctx, Options{Binary: os.Getenv("PYTHIA_BINARY"), Home: home(t), Args: []string{"--http", "nonsense"}})
	wantCode(t, err, "start", "nonsense")
	_, err = Start(ctx, Options{Binary: "/nowhere/pythia"})
	wantCode(t, err, "start", "/nowhere/pythia")
	_, err = Start(ctx, Options{Binary: "/bin/true"})
	wantCode(t, err, "start", "exit status 0")
	_, err = Dial(ctx, "/nowhere/socket")
	wantCode(t, err, "closed", "no server at '/nowhere/socket'")
}

func TestStopEndsTheServerAndCloseDoesNot(t *testing.T) {
	ctx, p := patience(t), start(t)
	other, err := Dial(ctx, filepath.Join(p.folder, "s"))
	if err != nil {
		t.Fatal(err)
	}
	if err = other.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err = p.Health(ctx); err != nil {
		t.Fatal(err)
	}
	if err = p.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err = os.Stat(p.folder); !os.IsNotExist(err) {
		t.Fatal(err)
	}
	_, err = p.Health(ctx)
	wantCode(t, err, "closed", "")
}

func TestAKilledServerIsToldToAllWhoWait(t *testing.T) {
	ctx, p := patience(t), start(t)
	if err := p.process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	_, err := p.Health(ctx)
	wantCode(t, err, "closed", "")
	if err = p.Stop(); err == nil {
		t.Fatal("a killed server ended well")
	}
}

// liar answers the first call with these bytes.
func liar(t *testing.T, data []byte) *Pythia {
	path := filepath.Join(t.TempDir(), "liar")
	door, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := door.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buffer := make([]byte, 1<<16)
		for said := false; ; said = true {
			if _, err = conn.Read(buffer); err != nil {
				return
			}
			if !said {
				_, _ = conn.Write(data)
			}
		}
	}()
	p, err := Dial(patience(t), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(); _ = door.Close() })
	return p
}

func TestAServerThatLiesIsNotBelieved(t *testing.T) {
	frame := func(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }
	for i, one := range []struct {
		data []byte
		code string
	}{{[]byte("\xff\xff\xff\xff"), "closed"}, {frame("{"), "closed"}, {frame("[]"), "closed"}, {frame(`{"id":1}`), "unknown"},
		{frame(`{"id":1,"error":7}`), "closed"}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			_, err := liar(t, one.data).Health(patience(t))
			wantCode(t, err, one.code, "")
		})
	}
}

func TestWhoIsNotAnsweredInTimeHearsOfIt(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := liar(t, nil).Health(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}
