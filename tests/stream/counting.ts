import type { Store } from "../../src/store/contract/store.ts"

/**
 * The store, which counts the calls of each method. `fail` makes the next call of a method reject. `hold`
 * makes the next calls wait until the function that it returns is called.
 */
export function counting(inner: Store) {
  const calls = new Map<string, number>()
  const failures = new Map<string, Error>()
  const held = new Map<string, Promise<void>>()
  const store = new Proxy(inner, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target)
      if (typeof member !== "function") return member
      return (...given: unknown[]): unknown => {
        const name = String(key)
        calls.set(name, (calls.get(name) ?? 0) + 1)
        const failure = failures.get(name)
        failures.delete(name)
        const waiting = held.get(name)
        if (waiting && failure) return waiting.then(() => Promise.reject(failure))
        if (waiting) return waiting.then(() => Reflect.apply(member, target, given))
        return failure ? Promise.reject(failure) : Reflect.apply(member, target, given)
      }
    },
  })
  return {
    store,
    count: (name: keyof Store) => calls.get(name) ?? 0,
    fail: (name: keyof Store, error: Error) => failures.set(name, error),
    hold(name: keyof Store): () => void {
      const { promise, resolve } = Promise.withResolvers<void>()
      held.set(name, promise)
      return () => {
        held.delete(name)
        resolve()
      }
    },
  }
}
