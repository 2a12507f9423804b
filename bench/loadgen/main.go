// Command loadgen drives one API server for the benchmarks: it takes one command a line on its standard input
// and answers each with a line. It is Go, and not Node, so that the client is never what is measured: it shares
// the machine with the servers.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
)

// A command is a line of the standard input.
type command struct {
	Op       string  `json:"op"` // run, fanout or go
	Run      runSpec `json:"run"`
	Watch    string  `json:"watch"` // fanout: the path that is watched
	Watchers int     `json:"watchers"`
}

func main() {
	server := flag.String("server", "", "base URL")
	ca := flag.String("ca", "", "file of the certificate authority")
	cert := flag.String("cert", "", "file of the client certificate")
	key := flag.String("key", "", "file of the client key")
	flag.Parse()
	generator, err := newGenerator(*server, *ca, *cert, *key)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		switch c.Op {
		case "run":
			out.Encode(generator.run(c.Run))
		case "fanout":
			generator.fanOut(c, func(answer any) { out.Encode(answer) }, func() bool { return lines.Scan() })
		}
	}
}

// A generator holds the connection, which stays open from one run to the next. Like a client set of Go's client library it
// has one, and asks for gzip in every request; it takes no answer apart that it need not read.
type generator struct {
	server string
	client *http.Client
}

func newGenerator(server, ca, cert, key string) (*generator, error) {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, err
	}
	return &generator{server: server, client: &http.Client{Transport: &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}},
		ForceAttemptHTTP2:  true,
		DisableCompression: true,
	}}}, nil
}
