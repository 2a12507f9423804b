/**
 * How a bounded thing is divided among users: nobody may take more than half of it, and a quarter is kept for what
 * keeps the cluster alive, so that no ordinary user stands in the way of leases, controllers or another user.
 * Mirrors (in what it achieves): apiserver pkg/util/flowcontrol, the system and leader-election levels
 */
import { nodesGroup, parseServiceAccountUserName, systemMasters } from "../authn/users.ts"
import type { UserInfo } from "../contract.ts"

/** Control plane components and the service accounts of the system's namespace; nodes by their group. */
function isSystem({ name, groups }: UserInfo): boolean {
  return (
    name.startsWith("system:kube-") ||
    groups.includes(nodesGroup) ||
    groups.includes("system:serviceaccounts:kube-system")
  )
}

/** The service accounts of one namespace count as one: whoever may make one may make many. */
export function ownerOf({ name }: UserInfo): string {
  const account = parseServiceAccountUserName(name)
  return account ? `serviceaccounts:${account.namespace}` : name
}

export class Shares {
  readonly total: number
  #used = 0
  #ordinary = 0
  readonly #byOwner = new Map<string, number>()

  constructor(total: number) {
    this.total = total
  }

  get used(): number {
    return this.#used
  }

  /** Takes `amount` for a user, unless that is more than there is for it. Administrators always get it. */
  take(user: UserInfo, amount = 1): boolean {
    const owner = ownerOf(user)
    const own = (this.#byOwner.get(owner) ?? 0) + amount
    const system = isSystem(user)
    if (!user.groups.includes(systemMasters)) {
      if (this.#used + amount > this.total || own > Math.max(1, this.total / 2)) return false
      if (!system && this.#ordinary + amount > Math.max(1, this.total * 0.75)) return false
    }
    this.#used += amount
    if (!system) this.#ordinary += amount
    this.#byOwner.set(owner, own)
    return true
  }

  /** Gives back what {@link take} gave. */
  give(user: UserInfo, amount = 1): void {
    const owner = ownerOf(user)
    const own = this.#byOwner.get(owner)! - amount
    this.#used -= amount
    if (!isSystem(user)) this.#ordinary -= amount
    if (own <= 0) this.#byOwner.delete(owner)
    else this.#byOwner.set(owner, own)
  }
}
