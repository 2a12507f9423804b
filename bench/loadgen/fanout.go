package main

import (
	"bytes"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

type fanOutResult struct {
	Writes    runResult `json:"writes"`
	Expected  int64     `json:"expected"`
	Delivered int64     `json:"delivered"`
	Seconds   float64   `json:"seconds"` // from the first write to the last delivery
	Bytes     int64     `json:"bytes"`
}

type opened struct {
	Opened int    `json:"opened"`
	Error  string `json:"error,omitempty"`
}

// stalled is how long a fan-out waits for the next event before it gives up.
const stalled = 5 * time.Second

// fanOut opens the watches, says so, waits for a line, writes, and counts what arrives at all watchers.
func (g *generator) fanOut(c command, answer func(any), wait func() bool) {
	ctx, cancel := context.WithCancel(context.Background())
	var delivered, received, last atomic.Int64
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel()
	base := time.Now()
	for w := range c.Watchers {
		request, err := http.NewRequestWithContext(ctx, "GET", g.server+c.Watch, nil)
		if err != nil {
			answer(opened{Error: err.Error()})
			return
		}
		request.Header.Set("Accept", c.Run.Accept)
		request.Header.Set("Accept-Encoding", "gzip")
		response, err := g.client.Do(request)
		if err != nil || response.StatusCode != 200 {
			failure := opened{Opened: w, Error: "the watch was refused"}
			if err != nil {
				failure.Error = err.Error()
			}
			answer(failure)
			return
		}
		watchers.Go(func() {
			defer response.Body.Close()
			buffer := make([]byte, 64<<10)
			for {
				count, err := response.Body.Read(buffer)
				if events := bytes.Count(buffer[:count], []byte{'\n'}); events > 0 {
					delivered.Add(int64(events))
					last.Store(int64(time.Since(base)))
				}
				received.Add(int64(count))
				if err != nil {
					return
				}
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	delivered.Store(0)
	received.Store(0)
	answer(opened{Opened: c.Watchers})
	if !wait() {
		return
	}
	begun := time.Since(base)
	result := fanOutResult{Writes: g.run(c.Run)}
	result.Expected = result.Writes.Requests * int64(c.Watchers)
	for delivered.Load() < result.Expected && time.Since(base)-time.Duration(last.Load()) < stalled {
		time.Sleep(time.Millisecond)
	}
	result.Delivered, result.Bytes = delivered.Load(), received.Load()
	result.Seconds = (time.Duration(last.Load()) - begun).Seconds()
	answer(result)
}
