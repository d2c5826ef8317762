const KEY = "track-studio token"
const FRAGMENT = /^#token=(.*)$/
const TOKEN = /^tsk_[A-Za-z0-9_-]{43}$/

/** A browser may forbid a page to keep anything. */
function stored(storage: () => Storage): string | undefined {
  try {
    return storage().getItem(KEY) ?? undefined
  } catch {
    return undefined
  }
}

/**
 * The access token of this page; undefined without one. That of a share link belongs to its tab alone, any other to the
 * browser. The worker that tabs share gets its token as its name, so tabs with different tokens have different workers.
 */
export function ownToken(): string | undefined {
  if (typeof document === "undefined") {
    const name: unknown = Reflect.get(globalThis, "name")
    return typeof name === "string" && name !== "" ? name : undefined
  }
  return stored(() => sessionStorage) ?? stored(() => localStorage)
}

/**
 * Takes the token of a share link out of the address, so that the browser's history does not keep it. A
 * fragment never reaches a server.
 */
export function takeShared(): void {
  const [, token] = FRAGMENT.exec(location.hash) ?? []
  if (token === undefined) return
  // A link that was cut off holds none.
  if (TOKEN.test(token)) sessionStorage.setItem(KEY, token)
  history.replaceState(history.state, "", location.pathname + location.search)
}

/** Keeps a token for this browser, or forgets it, and begins again with it. */
export function changeToken(token: string | undefined): void {
  sessionStorage.removeItem(KEY)
  if (token === undefined) localStorage.removeItem(KEY)
  else localStorage.setItem(KEY, token)
  location.reload()
}
