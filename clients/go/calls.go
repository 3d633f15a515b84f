package pythia

import "context"

// Health is what a server says of itself.
type Health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
	UptimeS int64  `json:"uptime_s"`
}

// Health asks whether the server is up.
func (p *Pythia) Health(ctx context.Context) (h Health, err error) {
	err = p.Call(ctx, "health", nil, &h)
	return h, err
}

// Document is a text to be found. The same ID again replaces one; without an ID it is known by its content.
type Document struct {
	ID    string `json:"id,omitempty"`
	Title string `json:"title,omitempty"`
	Text  string `json:"text"`
}

// Added counts what AddDocuments put.
type Added struct {
	Documents int64 `json:"documents"`
	Chunks    int64 `json:"chunks"`
}

// AddDocuments puts texts into a collection ("": "documents"); they can be found when it returns.
func (p *Pythia) AddDocuments(ctx context.Context, collection string, documents []Document) (a Added, err error) {
	params := map[string]any{"documents": documents}
	if collection != "" {
		params["collection"] = collection
	}
	err = p.Call(ctx, "index", params, &a)
	return a, err
}

// Hit is a span of a document. Score is 0 to 1; Freshness is "fresh", "moved", "changed" or "gone".
type Hit struct {
	ID         string `json:"id"`
	URI        string `json:"uri"`
	Path       string `json:"path"`
	Collection string `json:"collection"`
	StartLine  int    `json:"start_line"`
	EndLine    int    `json:"end_line"`
	Page       int    `json:"page"`
	Symbol     string `json:"symbol"`
	Kind       string `json:"kind"`
	Lang       string `json:"lang"`
	Heading    string `json:"heading"`
	Title      string `json:"title"`
	// What the document says of itself: author, created, modified, keywords …
	Metadata  map[string]string `json:"metadata"`
	Score     float64           `json:"score"`
	Freshness string            `json:"freshness"`
	Content   string            `json:"content"`
	Copies    []Copy            `json:"copies"`
}

// Copy is another place of a hit's text, or of one that is nearly the same: Likeness is 0.8 to 1.
type Copy struct {
	ID         string  `json:"id"`
	URI        string  `json:"uri"`
	Path       string  `json:"path"`
	Collection string  `json:"collection"`
	StartLine  int     `json:"start_line"`
	EndLine    int     `json:"end_line"`
	Likeness   float64 `json:"likeness"`
}

// Found is the reply of a search.
type Found struct {
	Mode    string  `json:"mode"`
	Results []Hit   `json:"results"`
	Total   int64   `json:"total"`
	HasMore bool    `json:"has_more"`
	TookMs  float64 `json:"took_ms"`
}

// Option is one field of a request.
type Option func(map[string]any)

// With sets any field of a call: With("mode", "lexical"), With("collections", []string{"docs"}).
func With(name string, value any) Option { return func(m map[string]any) { m[name] = value } }

// Limit is how many hits a search gives at most.
func Limit(n int) Option { return With("limit", n) }

func params(first string, value any, options []Option) map[string]any {
	m := map[string]any{first: value}
	for _, o := range options {
		o(m)
	}
	return m
}

// Search finds ranked hits.
func (p *Pythia) Search(ctx context.Context, query string, options ...Option) (f Found, err error) {
	err = p.Call(ctx, "search", params("query", query, options), &f)
	return f, err
}

// Citation is a quote that stands in source number Source (from 1), word for word.
type Citation struct {
	Source    int     `json:"source"`
	StartLine int     `json:"start_line"`
	EndLine   int     `json:"end_line"`
	Quote     string  `json:"quote"`
	Score     float64 `json:"score"`
}

// Answer has no text when Abstained.
type Answer struct {
	Answer     string     `json:"answer"`
	Abstained  bool       `json:"abstained"`
	Confidence float64    `json:"confidence"`
	Citations  []Citation `json:"citations"`
	Sources    []Hit      `json:"sources"`
}

// Ask answers from the sources, or abstains.
func (p *Pythia) Ask(ctx context.Context, question string, options ...Option) (a Answer, err error) {
	err = p.Call(ctx, "ask", params("question", question, options), &a)
	return a, err
}

// Embed gives the vectors of texts, in their order.
func (p *Pythia) Embed(ctx context.Context, texts []string, options ...Option) ([][]float32, error) {
	var reply struct {
		Embeddings [][]float32 `json:"embeddings"`
	}
	err := p.Call(ctx, "embed", params("texts", texts, options), &reply)
	return reply.Embeddings, err
}
