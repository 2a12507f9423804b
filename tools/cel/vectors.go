package main

import (
	"os"
	"path/filepath"
	"strings"

	expr "cel.dev/expr"
	_ "cel.dev/expr/conformance/proto2"
	_ "cel.dev/expr/conformance/proto3"
	test "cel.dev/expr/conformance/test"
	"encoding/json"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
)

type vector struct {
	Name      string                     `json:"name"`
	Expr      string                     `json:"expr"`
	NoMacros  bool                       `json:"noMacros,omitempty"`
	NoCheck   bool                       `json:"noCheck,omitempty"`
	CheckOnly bool                       `json:"checkOnly,omitempty"`
	Container string                     `json:"container,omitempty"`
	TypeEnv   []json.RawMessage          `json:"typeEnv,omitempty"`
	Bindings  map[string]json.RawMessage `json:"bindings,omitempty"`
	Value     json.RawMessage            `json:"value,omitempty"`
	Type      json.RawMessage            `json:"type,omitempty"`
	Error     bool                       `json:"error,omitempty"`
	Unknown   bool                       `json:"unknown,omitempty"`
}

func vectors(folder string) (any, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.textproto"))
	if err != nil {
		return nil, err
	}
	out := []vector{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var parsed test.SimpleTestFile
		if err := (prototext.UnmarshalOptions{AllowPartial: true}).Unmarshal(text, &parsed); err != nil {
			return nil, err
		}
		for _, section := range parsed.Section {
			for _, t := range section.Test {
				v := vector{
					Name: strings.Join([]string{parsed.Name, section.Name, t.Name}, "/"), Expr: t.Expr,
					NoMacros: t.DisableMacros, NoCheck: t.DisableCheck, CheckOnly: t.CheckOnly, Container: t.Container,
				}
				for _, d := range t.TypeEnv {
					raw, err := protojson.Marshal(d)
					if err != nil {
						return nil, err
					}
					v.TypeEnv = append(v.TypeEnv, raw)
				}
				for name, binding := range t.Bindings {
					raw, err := protojson.Marshal(binding)
					if err != nil {
						return nil, err
					}
					if v.Bindings == nil {
						v.Bindings = map[string]json.RawMessage{}
					}
					v.Bindings[name] = raw
				}
				var value *expr.Value
				switch m := t.ResultMatcher.(type) {
				case *test.SimpleTest_Value:
					value = m.Value
				case *test.SimpleTest_TypedResult:
					value = m.TypedResult.Result
					if m.TypedResult.DeducedType != nil {
						raw, err := protojson.Marshal(m.TypedResult.DeducedType)
						if err != nil {
							return nil, err
						}
						v.Type = raw
					}
				case *test.SimpleTest_EvalError, *test.SimpleTest_AnyEvalErrors:
					v.Error = true
				case *test.SimpleTest_Unknown, *test.SimpleTest_AnyUnknowns:
					v.Unknown = true
				default:
					value = &expr.Value{Kind: &expr.Value_BoolValue{BoolValue: true}}
				}
				if value != nil {
					raw, err := protojson.Marshal(value)
					if err != nil {
						return nil, err
					}
					v.Value = raw
				}
				out = append(out, v)
			}
		}
	}
	return out, nil
}
