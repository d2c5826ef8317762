import { isToken } from "../../token-format.ts"

const KEY = "track-studio token"
const FRAGMENT = /^#token=(.*)$/

/** The token of a share link, until the page is loaded again. */
let taken: string | undefined

/** What `use` returns; undefined if the browser forbids the page to store anything. */
function allowed<T>(use: () => T): T | undefined {
  try {
    return use()
  } catch {
    return undefined
  }
}

const stored = (storage: () => Storage): string | undefined =>
  allowed(() => storage().getItem(KEY)) ?? undefined

/**
 * The access token of this page; undefined if there is none. The token of a share link belongs to its tab
 * alone, any other token to the browser. The worker that tabs share gets its token as its name, so tabs with
 * different tokens have different workers.
 */
export function ownToken(): string | undefined {
  if (typeof document === "undefined") {
    const name: unknown = Reflect.get(globalThis, "name")
    return typeof name === "string" && name !== "" ? name : undefined
  }
  return taken ?? stored(() => sessionStorage) ?? stored(() => localStorage)
}

/** Whether the token of this page came with a share link, so that its reader may not know of any token. */
export const isTokenShared = (): boolean => taken !== undefined || stored(() => sessionStorage) !== undefined

/**
 * What makes curl send a token that stands in a variable; empty if the reader has none. The token itself is not
 * in it, because a command may be shown to others.
 */
export const tokenForCurl = (): string =>
  ownToken() === undefined ? "" : '-H "Authorization: Bearer $TRACK_STUDIO_TOKEN"'

/**
 * Takes the token of a share link out of the address, so that the browser's history does not keep it. A
 * fragment never reaches a server.
 */
export function takeShared(): void {
  const [, token] = FRAGMENT.exec(location.hash) ?? []
  if (token === undefined) return
  // A link that was cut off has no token.
  if (isToken(token)) {
    taken = token
    allowed(() => sessionStorage.setItem(KEY, token))
  }
  history.replaceState(history.state, "", location.pathname + location.search)
}

/**
 * Loads the page again when a share link is opened in a page that already has its path: the browser does not
 * do this.
 */
export function watchShared(): void {
  addEventListener("hashchange", () => {
    if (FRAGMENT.test(location.hash)) location.reload()
  })
}

/** Stores a token for this browser and loads the page with it; or forgets the token that is used here. */
export function changeToken(token: string | undefined): void {
  const isShared = stored(() => sessionStorage) !== undefined
  allowed(() => sessionStorage.removeItem(KEY))
  if (token !== undefined) allowed(() => localStorage.setItem(KEY, token))
  // After a share link, the reader's own token is still stored.
  else if (!isShared) allowed(() => localStorage.removeItem(KEY))
  // If nothing may be stored, the token is valid until the page is loaded again, like that of a share link.
  if (token !== undefined && stored(() => localStorage) !== token) location.hash = `token=${token}`
  location.reload()
}
