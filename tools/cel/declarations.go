package main

import (
	"sort"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/environment"
)

type overload struct {
	ID     string   `json:"id"`
	Member bool     `json:"member,omitempty"`
	Args   []string `json:"args"`
	Result string   `json:"result"`
}

type function struct {
	Name      string     `json:"name"`
	Overloads []overload `json:"overloads"`
}

func baseEnv() *cel.Env {
	return environment.MustBaseEnvSet(version.MajorMinor(1, 37)).StoredExpressionsEnv()
}

func declarations() (any, error) {
	functions := []function{}
	for name, declared := range baseEnv().Functions() {
		if declared.IsDeclarationDisabled() {
			continue
		}
		f := function{Name: name}
		for _, o := range declared.OverloadDecls() {
			args := []string{}
			for _, t := range o.ArgTypes() {
				args = append(args, checker.FormatCELType(t))
			}
			f.Overloads = append(f.Overloads, overload{o.ID(), o.IsMemberFunction(), args, checker.FormatCELType(o.ResultType())})
		}
		functions = append(functions, f)
	}
	sort.Slice(functions, func(i, j int) bool { return functions[i].Name < functions[j].Name })
	macros := []string{}
	for _, m := range baseEnv().Macros() {
		macros = append(macros, m.MacroKey())
	}
	sort.Strings(macros)
	return map[string]any{"functions": functions, "macros": macros}, nil
}
