/** Subjects as columns print them. Mirrors: pkg/apis/rbac/helpers.go (SubjectsStrings) */
import type { Subject } from "./types.gen.ts"

/** The names of the subjects of one kind; service accounts with their namespace. */
export function subjectNames(
  subjects: readonly Subject[] | undefined,
  kind: "User" | "Group" | "ServiceAccount",
): string {
  return (subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map(({ name, namespace }) => (kind === "ServiceAccount" ? `${namespace ?? ""}/${name}` : name))
    .join(", ")
}
