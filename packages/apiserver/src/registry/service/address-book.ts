/**
 * Who has which address of the service networks. An address is taken by creating its IPAddress object: the store lets
 * one server do that, so no address is given twice, however many servers there are. Nothing waits for the objects of
 * other Services: they come with the watch of the store.
 * Mirrors: pkg/registry/core/service/ipallocator/ipallocator.go
 */
import {
  ipAddress,
  service,
  type Creatable,
  type IPAddress,
  type Service,
  type ServiceSpec,
} from "@knarr/api"
import {
  formatIP,
  isAlreadyExists,
  isNotFound,
  parseIP,
  type Kind,
  type KubeObject,
} from "@knarr/apimachinery"
import { loopbackUser } from "../../authn/users.ts"
import type { CachedObject } from "../cached-object.ts"
import { createObject } from "../create.ts"
import { deleteObject } from "../delete.ts"
import type { WriteRequest } from "../request.ts"
import type { ResourceStorage } from "../storage.ts"

const familyLabel = "ipaddress.kubernetes.io/ip-family"
const managerLabel = "ipaddress.kubernetes.io/managed-by"
const manager = "ipallocator.k8s.io"

/** What the books read of the registry. */
export interface ServiceReader {
  find(group: string, version: string, plural: string): ResourceStorage | undefined
  get<T extends KubeObject>(
    kind: Kind<T>,
    ref: { namespace?: string | undefined; name: string },
  ): Readonly<T> | undefined
  list<T extends KubeObject>(kind: Kind<T>, namespace?: string): readonly Readonly<T>[]
  onChange(kind: Kind, changed: (objects: readonly CachedObject[]) => void): Disposable
}

/** A Service's `namespace/name`. */
export type ServiceKey = string

export class AddressBook {
  readonly #registry: ServiceReader
  /** Undefined when IPAddress objects are not served: then there is one server, and its own book is enough. */
  readonly #objects: ResourceStorage | undefined
  /** Address → the Service that has it. */
  readonly #owners = new Map<string, ServiceKey>()
  /** The other way around. */
  readonly #addresses = new Map<ServiceKey, readonly string[]>()
  /** Taken by writes that are under way here. */
  readonly #taken = new Set<string>()

  constructor(registry: ServiceReader) {
    this.#registry = registry
    this.#objects = registry.find(ipAddress.group, ipAddress.version, ipAddress.plural)
    for (const { metadata } of registry.list(service)) this.#look(keyOf(metadata))
  }

  /** Keeps the book while it is not disposed. */
  follow(): Disposable {
    return this.#registry.onChange(service, (objects: readonly CachedObject[]) => {
      for (const object of objects) this.#look(keyOf(object))
    })
  }

  ownerOf(address: string): ServiceKey | undefined {
    return this.#owners.get(address)
  }

  /** As far as this server has heard. */
  isTaken(address: string): boolean {
    const name = canonical(address)
    return this.#taken.has(name) || this.#owners.has(name) || this.#objects?.cache.get(name) !== undefined
  }

  /** Takes an address for a Service that is about to be written. False when somebody else has it. */
  async claim(address: string, key: ServiceKey): Promise<boolean> {
    const name = canonical(address)
    if (this.#taken.has(name) || this.#owners.has(name)) return false
    this.#taken.add(name)
    try {
      if (await this.createObject(name, key)) return true
    } catch (thrown) {
      this.#taken.delete(name)
      throw thrown
    }
    this.#taken.delete(name)
    return false
  }

  /** The Service that took the address is stored. */
  settle(address: string): void {
    this.#taken.delete(canonical(address))
  }

  /** Gives an address back, unless a Service has it by now. */
  async release(address: string, key: ServiceKey): Promise<void> {
    const name = canonical(address)
    try {
      const present = this.object(name)
      if (present && !this.#owners.has(name) && isOf(present, key)) await this.removeObject(present)
    } finally {
      this.#taken.delete(name)
    }
  }

  /** The object of an address, from the cache. */
  object(name: string): Readonly<IPAddress> | undefined {
    return this.#objects && this.#registry.get<IPAddress>(ipAddress, { name })
  }

  /** Whether the object is there now, and the Service's: another may have been first. */
  async createObject(name: string, key: ServiceKey): Promise<boolean> {
    if (!this.#objects) return true
    try {
      await createObject(this.#objects, "", addressOf(name, key) as unknown as KubeObject, asServer())
      return true
    } catch (thrown) {
      if (!isAlreadyExists(thrown)) throw thrown
      // Left by a write of the same Service that was cut off.
      const present = this.object(name)
      return present !== undefined && isOf(present, key)
    }
  }

  async removeObject({ metadata: { name, uid } }: Readonly<IPAddress>): Promise<void> {
    try {
      await deleteObject(this.#objects!, { namespace: "", name }, { preconditions: { uid } }, asServer())
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
  }

  #look(key: ServiceKey): void {
    const [namespace, name] = key.split("/") as [string, string]
    const present = allocatedIPs(this.#registry.get<Service>(service, { namespace, name })?.spec).map(
      canonical,
    )
    for (const address of this.#addresses.get(key) ?? [])
      if (this.#owners.get(address) === key) this.#owners.delete(address)
    for (const address of present) this.#owners.set(address, key)
    if (present.length > 0) this.#addresses.set(key, present)
    else this.#addresses.delete(key)
  }
}

export function keyOf({ namespace, name }: { namespace?: string | undefined; name: string }): ServiceKey {
  return `${namespace ?? ""}/${name}`
}

/** The name of an address's object. */
export function canonical(address: string): string {
  const ip = parseIP(address)
  return ip ? formatIP(ip) : address
}

/** Whether the server made the object, and so may take it away. */
export function isManaged({ metadata }: Readonly<IPAddress>): boolean {
  return metadata.labels?.[managerLabel] === manager
}

/** Whether an object was made for the Service. */
export function isOf(object: Readonly<IPAddress>, key: ServiceKey): boolean {
  const parent = object.spec.parentRef
  return (
    isManaged(object) &&
    !parent?.group &&
    parent?.resource === "services" &&
    `${parent.namespace}/${parent.name}` === key
  )
}

/** Whether a Service is to have an address of the service networks. */
export function needsClusterIP(spec: Readonly<ServiceSpec>): boolean {
  return spec.type !== "ExternalName" && spec.clusterIP !== "None" && spec.clusterIPs?.[0] !== "None"
}

/** The addresses that the Service has of the service networks. */
export function allocatedIPs(spec: Readonly<ServiceSpec> | undefined): string[] {
  if (!spec || !needsClusterIP(spec)) return []
  return (spec.clusterIPs?.length ? spec.clusterIPs : spec.clusterIP ? [spec.clusterIP] : []).filter(
    (ip) => ip !== "" && ip !== "None",
  )
}

function addressOf(address: string, key: ServiceKey): Creatable<IPAddress> {
  const [namespace, name] = key.split("/") as [string, string]
  const family = address.includes(":") ? "IPv6" : "IPv4"
  return {
    apiVersion: ipAddress.apiVersion,
    kind: ipAddress.kind,
    metadata: { name: address, labels: { [familyLabel]: family, [managerLabel]: manager } },
    spec: { parentRef: { resource: "services", namespace, name } },
  }
}

function asServer(): WriteRequest {
  return { user: loopbackUser, fieldManager: "kube-apiserver", dryRun: false, options: {}, warnings: [] }
}
