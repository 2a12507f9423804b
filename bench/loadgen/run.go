package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A runSpec is one load: the same request again and again, by a number of clients at once. "{i}" in the path and
// the body is the object's number (first, first+1, … and from first again after modulo), "{n}" that of the request.
type runSpec struct {
	Method      string  `json:"method"`
	Path        string  `json:"path"`
	Body        string  `json:"body"`
	ContentType string  `json:"contentType"`
	Accept      string  `json:"accept"`
	Clients     int     `json:"clients"`
	First       int64   `json:"first"`
	Modulo      int64   `json:"modulo"`
	Requests    int64   `json:"requests"` // 0: as many as fit in Seconds
	Seconds     float64 `json:"seconds"`
	Pages       bool    `json:"pages"` // follow the continue tokens; each page counts as a request
}

type runResult struct {
	Seconds    float64 `json:"seconds"`
	Requests   int64   `json:"requests"`
	Errors     int64   `json:"errors"`
	FirstError string  `json:"firstError,omitempty"`
	Bytes      int64   `json:"bytes"`
	Micros     []int64 `json:"micros"` // the latency of each request, in no particular order
}

// longest bounds a run that a server does not answer.
const longest = 30 * time.Second

var continueToken = regexp.MustCompile(`"continue":"([^"]+)"`)

func (g *generator) run(spec runSpec) runResult {
	limit := longest
	if spec.Seconds > 0 {
		limit = time.Duration(spec.Seconds * float64(time.Second))
	}
	var next, errors, received atomic.Int64
	var firstError sync.Once
	result := runResult{}
	latencies := make([][]int64, spec.Clients)
	var all sync.WaitGroup
	start := time.Now()
	end := start.Add(limit)
	for c := range spec.Clients {
		all.Go(func() {
			buffer := make([]byte, 64<<10)
			token := ""
			for {
				n := next.Add(1) - 1
				if spec.Requests > 0 && n >= spec.Requests || time.Now().After(end) {
					return
				}
				begun := time.Now()
				size, following, err := g.one(&spec, n, token, buffer)
				token = following
				if err != nil {
					errors.Add(1)
					firstError.Do(func() { result.FirstError = err.Error() })
					continue
				}
				received.Add(size)
				latencies[c] = append(latencies[c], time.Since(begun).Microseconds())
			}
		})
	}
	all.Wait()
	result.Seconds = time.Since(start).Seconds()
	for _, some := range latencies {
		result.Micros = append(result.Micros, some...)
	}
	result.Requests, result.Errors, result.Bytes = int64(len(result.Micros)), errors.Load(), received.Load()
	return result
}

// one sends the n-th request; it returns the size of the answer and the token of the page behind it.
func (g *generator) one(spec *runSpec, n int64, token string, buffer []byte) (int64, string, error) {
	i := n
	if spec.Modulo > 0 {
		i %= spec.Modulo
	}
	fill := func(text string) string {
		if !strings.Contains(text, "{") {
			return text
		}
		text = strings.ReplaceAll(text, "{i}", strconv.FormatInt(spec.First+i, 10))
		return strings.ReplaceAll(text, "{n}", strconv.FormatInt(spec.First+n, 10))
	}
	path := g.server + fill(spec.Path)
	if token != "" {
		path += "&continue=" + url.QueryEscape(token)
	}
	var body io.Reader
	if spec.Body != "" {
		body = strings.NewReader(fill(spec.Body))
	}
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, spec.Method, path, body)
	if err != nil {
		return 0, "", err
	}
	if spec.ContentType != "" {
		request.Header.Set("Content-Type", spec.ContentType)
	}
	request.Header.Set("Accept", spec.Accept)
	request.Header.Set("Accept-Encoding", "gzip")
	response, err := g.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	if response.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1000))
		return 0, "", fmt.Errorf("%s %s: %d %s", spec.Method, path, response.StatusCode, bytes.TrimSpace(text))
	}
	answer := io.Reader(response.Body)
	if spec.Pages && response.Header.Get("Content-Encoding") == "gzip" {
		if answer, err = gzip.NewReader(response.Body); err != nil {
			return 0, "", err
		}
	}
	var head []byte
	size := int64(0)
	for {
		count, err := answer.Read(buffer)
		if spec.Pages && len(head) < 8<<10 {
			head = append(head, buffer[:count]...)
		}
		size += int64(count)
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, "", err
		}
	}
	if match := continueToken.FindSubmatch(head); match != nil {
		return size, string(match[1]), nil
	}
	return size, "", nil
}
