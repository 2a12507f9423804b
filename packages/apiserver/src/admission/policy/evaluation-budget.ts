/** What the expressions of one evaluation of a policy may cost together. Mirrors: apiserver pkg/apis/cel/config.go */
export const evaluationBudget = 10_000_000
