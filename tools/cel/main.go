// Command facts writes down what Kubernetes' own CEL says, for the tests of packages/cel:
//
//	declarations       the functions of the environment of 1.37: overloads in order, with their types
//	vectors            cel-spec's conformance vectors that need no protocol buffers
//	golden < cases     messages, results, static and run-time cost of the given expressions
//
// Each prints JSON. Run by facts.ts.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	var out any
	var err error
	switch os.Args[1] {
	case "declarations":
		out, err = declarations()
	case "vectors":
		out, err = vectors(os.Args[2])
	case "golden":
		out, err = golden(os.Stdin)
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
