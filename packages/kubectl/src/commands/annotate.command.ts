/** `kubectl annotate`. Mirrors: kubectl pkg/cmd/annotate/annotate.go */
import { defineKubectlCommand } from "../command.ts"
import { changeMarks, markFlags } from "./marks.ts"

export const annotate = defineKubectlCommand({
  name: "annotate",
  summary: "Update the annotations on a resource",
  usage: "[--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version]",
  flags: markFlags("kubectl-annotate"),
  run: (ctx) =>
    changeMarks(ctx, {
      field: "annotations",
      noun: "annotation",
      valid: /./,
      check() {},
      done: { changed: "annotated", removed: "annotated", unchanged: "annotated" },
    }),
})
