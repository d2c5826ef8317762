import type { Store } from "../../src/store/contract/store.ts"

/** The methods that a class of ours has, those of its parents included. */
function methodsOf(object: object): string[] {
  const names = new Set<string>()
  for (let at: object | null = object; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (typeof value === "function" && name !== "constructor") names.add(name)
    }
  }
  return [...names]
}

/** The parts of a store that are objects of ours with methods of their own, by name. */
const partsOf = (store: Store): [string, object][] =>
  Object.entries(store).filter(([, part]) => /^(Sqlite|Postgres)/.test(String(Object(part).constructor.name)))

/** The same object and its parts. They remember the names of the methods that are called. */
function remembering<T extends object>(
  object: T,
  called: Set<string>,
  parts: readonly string[] = [],
  path = "",
): T {
  return new Proxy(object, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target)
      const name = `${path}${String(key)}`
      if (parts.includes(name)) return remembering(Object(member), called, [], `${name}.`)
      if (typeof member !== "function") return member
      called.add(name)
      return member.bind(target)
    },
  })
}

/** A store that remembers which methods were called. */
interface Counted<T> {
  /** The store that the test uses. */
  readonly used: T
  /** The names of the methods that were called, as `item` or `deliveries.list`. */
  readonly called: ReadonlySet<string>
  /** The names of all methods. */
  readonly methods: readonly string[]
}

/** Remembers which methods of a store are called. @throws Error for a store without parts */
export function counted<T extends Store>(store: T): Counted<T> {
  const called = new Set<string>()
  const parts = partsOf(store)
  if (parts.length < 7) throw new Error("the parts of the store were not found")
  const used = remembering(
    store,
    called,
    parts.map(([name]) => name),
  )
  const methods = parts.flatMap(([name, part]) => methodsOf(part).map((method) => `${name}.${method}`))
  return { used, called, methods: [...methodsOf(store), ...methods] }
}
