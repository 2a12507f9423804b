package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sort"
	"strconv"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/version"
	apicel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/common"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
)

type goldenInput struct {
	Schemas map[string]json.RawMessage `json:"schemas"`
	Objects map[string]struct {
		Schema string          `json:"schema"`
		Value  json.RawMessage `json:"value"`
	} `json:"objects"`
	Cases []struct {
		Self  string   `json:"self"`
		Exprs []string `json:"exprs"`
		Limit uint64   `json:"limit"`
	} `json:"cases"`
}

type recorded struct {
	Self   string  `json:"self,omitempty"`
	Expr   string  `json:"expr"`
	Limit  uint64  `json:"limit,omitempty"`
	Issues string  `json:"issues,omitempty"`
	Type   string  `json:"type,omitempty"`
	Min    string  `json:"min,omitempty"`
	Max    string  `json:"max,omitempty"`
	Plan   string  `json:"plan,omitempty"`
	Error  string  `json:"error,omitempty"`
	Value  any     `json:"value,omitempty"`
	Cost   *uint64 `json:"cost,omitempty"`
}

type sizes struct{ root *apicel.DeclType }

func (s *sizes) EstimateSize(element checker.AstNode) *checker.SizeEstimate {
	if len(element.Path()) == 0 || s.root == nil {
		return nil
	}
	node := s.root
	for _, name := range element.Path()[1:] {
		switch name {
		case "@items", "@values":
			node = node.ElemType
		case "@keys":
			node = node.KeyType
		default:
			field, ok := node.Fields[name]
			if !ok {
				return nil
			}
			node = field.Type
		}
		if node == nil {
			return nil
		}
	}
	return &checker.SizeEstimate{Min: 0, Max: uint64(node.MaxElements)}
}

func (s *sizes) EstimateCallCost(function, overloadID string, target *checker.AstNode, args []checker.AstNode) *checker.CallEstimate {
	return nil
}

func golden(in io.Reader) (any, error) {
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	var input goldenInput
	if err := json.Unmarshal(text, &input); err != nil {
		return nil, err
	}
	out := []recorded{}
	for _, group := range input.Cases {
		var structural *schema.Structural
		var value any
		if group.Self != "" {
			object, ok := input.Objects[group.Self]
			if !ok {
				return nil, fmt.Errorf("no object %q", group.Self)
			}
			var props v1.JSONSchemaProps
			if err := json.Unmarshal(input.Schemas[object.Schema], &props); err != nil {
				return nil, err
			}
			var internal apiextensions.JSONSchemaProps
			if err := v1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&props, &internal, nil); err != nil {
				return nil, err
			}
			if structural, err = schema.NewStructural(&internal); err != nil {
				return nil, err
			}
			if err := utiljson.Unmarshal(object.Value, &value); err != nil {
				return nil, err
			}
		}
		for _, text := range group.Exprs {
			out = append(out, record(group.Self, text, group.Limit, structural, value))
		}
	}
	return out, nil
}

func record(self, text string, limit uint64, structural *schema.Structural, value any) recorded {
	r := recorded{Self: self, Expr: text, Limit: limit}
	set := environment.MustBaseEnvSet(version.MajorMinor(1, 37))
	options := environment.VersionedOptions{IntroducedVersion: version.MajorMinor(1, 0)}
	vars := map[string]any{}
	estimator := &sizes{}
	if structural != nil {
		structural = model.WithTypeAndObjectMeta(structural)
		declared := model.SchemaDeclType(structural, true).MaybeAssignTypeName("selfType")
		estimator.root = declared
		options.DeclTypes = []*apicel.DeclType{declared}
		options.EnvOptions = []cel.EnvOption{
			cel.Variable("self", declared.CelType()),
			cel.Variable("oldSelf", declared.CelType()),
			cel.Variable("optSelf", types.NewOptionalType(declared.CelType())),
		}
		vars["self"] = common.UnstructuredToVal(value, &model.Structural{Structural: structural})
		vars["oldSelf"] = vars["self"]
		vars["optSelf"] = types.OptionalOf(vars["self"].(ref.Val))
	} else {
		options.EnvOptions = []cel.EnvOption{
			cel.Variable("x", cel.DynType), cel.Variable("i", cel.IntType), cel.Variable("s", cel.StringType),
			cel.Variable("l", cel.ListType(cel.IntType)), cel.Variable("m", cel.MapType(cel.StringType, cel.DynType)),
			cel.Variable("t", cel.TimestampType), cel.Variable("o", types.NewOptionalType(cel.StringType)),
			cel.Variable("absent", cel.StringType),
		}
		vars = map[string]any{
			"x": map[string]any{"a": int64(1), "b": []any{"x", "y"}, "n": nil, "s": "text"}, "i": int64(42), "s": "hello", "l": []int64{3, 1, 2},
			"m": map[string]any{"k": "v", "n": int64(7)}, "t": types.Timestamp{Time: time.Unix(1700000000, 5000000).UTC()},
			"o": types.OptionalOf(types.String("some")),
		}
	}
	extended, err := set.Extend(options)
	if err != nil {
		r.Plan = err.Error()
		return r
	}
	env := extended.StoredExpressionsEnv()
	ast, issues := env.Compile(text)
	if issues != nil {
		r.Issues = issues.String()
		return r
	}
	r.Type = ast.OutputType().String()
	costs := &library.CostEstimator{SizeEstimator: estimator}
	estimate, err := env.EstimateCost(ast, costs)
	if err == nil {
		r.Min, r.Max = strconv.FormatUint(estimate.Min, 10), strconv.FormatUint(estimate.Max, 10)
	}
	programOptions := []cel.ProgramOption{cel.CostTracking(costs), cel.InterruptCheckFrequency(100)}
	if limit > 0 {
		programOptions = append(programOptions, cel.CostLimit(limit))
	} else {
		programOptions = append(programOptions, cel.CostLimit(1000000))
	}
	program, err := env.Program(ast, programOptions...)
	if err != nil {
		r.Plan = err.Error()
		return r
	}
	result, details, err := program.Eval(vars)
	if details != nil && details.ActualCost() != nil {
		cost := *details.ActualCost()
		r.Cost = &cost
	}
	if err != nil {
		r.Error = err.Error()
		return r
	}
	r.Value = plain(result)
	return r
}

// plain writes a value as a list of its type and what it holds, so that each type stays apart in JSON.
func plain(v ref.Val) any {
	switch x := v.(type) {
	case types.Null:
		return []any{"null"}
	case types.Bool:
		return []any{"bool", bool(x)}
	case types.Int:
		return []any{"int", strconv.FormatInt(int64(x), 10)}
	case types.Uint:
		return []any{"uint", strconv.FormatUint(uint64(x), 10)}
	case types.Double:
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return []any{"double", fmt.Sprint(float64(x))}
		}
		return []any{"double", strconv.FormatFloat(float64(x), 'g', -1, 64)}
	case types.String:
		return []any{"string", string(x)}
	case types.Bytes:
		return []any{"bytes", []byte(x)}
	case types.Timestamp:
		return []any{"timestamp", x.Time.Format(time.RFC3339Nano)}
	case types.Duration:
		return []any{"duration", x.Duration.String()}
	case *types.Type:
		return []any{"type", x.String()}
	case *types.Optional:
		if !x.HasValue() {
			return []any{"none"}
		}
		return []any{"some", plain(x.GetValue())}
	}
	if l, ok := v.(traits.Lister); ok {
		items := []any{}
		for it := l.Iterator(); it.HasNext() == types.True; {
			items = append(items, plain(it.Next()))
		}
		return []any{"list", items}
	}
	if m, ok := v.(traits.Mapper); ok {
		entries := [][]any{}
		for it := m.Iterator(); it.HasNext() == types.True; {
			k := it.Next()
			if k == nil {
				break
			}
			entries = append(entries, []any{plain(k), plain(m.Get(k))})
		}
		sort.Slice(entries, func(i, j int) bool { return fmt.Sprint(entries[i]) < fmt.Sprint(entries[j]) })
		return []any{"map", entries}
	}
	return []any{"object", v.Type().TypeName()}
}
