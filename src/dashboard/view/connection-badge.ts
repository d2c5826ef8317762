import { counted, duration } from "../../text.ts"
import type { Connection, Stats } from "../model/hub-messages.ts"
import { at, capital, count, inFull, roughly } from "../model/wording.ts"
import { byId, el, mark, setText, show } from "./dom.ts"
import { announce } from "./toasts-and-undo.ts"

/** If a live stream was confirmed longer ago than this, the badge says so. */
const CONFIRMED_MS = 8000
/** A shorter delay than this cannot be noticed. */
const DELAY_MS = 100

/** A change of what is wrong with the server is read out no sooner after the one before. */
const SAID_AGAIN_MS = 60_000

/** What the badge says: a word and details. */
export interface BadgeWords {
  /** The state in a word. */
  readonly word: string
  /** The details; empty if there are none. */
  readonly detail: string
  /** When the next attempt is; absent or empty if none is planned. Narrow screens have no room for it. */
  readonly next?: string
}

/** What is wrong with the server, as it said last. */
type Troubles = NonNullable<Stats["degraded"]>

/** What of the page is loaded. */
export interface Loaded {
  /** Whether any of it is. */
  readonly isAny: boolean
  /** What cannot be loaded and why, as a sentence without its full stop; empty if nothing is missing. */
  readonly unread: string
}

const ALL_LOADED: Loaded = { isAny: true, unread: "" }

function liveWords(
  { behind, lagMs, confirmedMs }: Connection,
  nowMs: number,
  troubles: Troubles,
  { isAny, unread }: Loaded,
): BadgeWords {
  const quietMs = nowMs - (confirmedMs ?? nowMs)
  const [trouble, another] = troubles
  if (!isAny) return { word: unread === "" ? "Loading" : "Not loaded", detail: "" }
  if (unread !== "") return { word: "Live", detail: "not all loaded" }
  if (behind > 0) return { word: "Live", detail: `${counted(behind, "update")} behind` }
  if (trouble) return { word: "Live", detail: another ? `${troubles.length} problems` : trouble.title }
  if (quietMs > CONFIRMED_MS) return { word: "Live", detail: `confirmed ${roughly(quietMs / 1000)} ago` }
  if (lagMs === null || lagMs < DELAY_MS) return { word: "Live", detail: "up to date" }
  return { word: "Live", detail: `${(lagMs / 1000).toFixed(1)} s behind` }
}

/**
 * The text for the stream, which says only what is certain. `nowMs` is this machine's clock; `troubles` is what the
 * server said last of itself, and `loaded` what the page got of it.
 */
export function badgeWords(
  connection: Connection,
  nowMs: number,
  troubles: Troubles = [],
  loaded = ALL_LOADED,
): BadgeWords {
  const { state, confirmedMs, retryAtMs } = connection
  const next =
    retryAtMs !== null && retryAtMs - nowMs > 1500
      ? `next attempt in ${duration((retryAtMs - nowMs) / 1000)}`
      : ""
  const asOf = confirmedMs === null ? "" : `as of ${at(confirmedMs, nowMs)}`
  switch (state) {
    case "connecting":
      return { word: "Connecting", detail: "" }
    case "live":
      return liveWords(connection, nowMs, troubles, loaded)
    case "reconnecting":
      return { word: "Reconnecting", detail: asOf, next }
    case "stale":
      return confirmedMs === null ? { word: "Can't connect", detail: "" } : { word: "Stale", detail: asOf }
    case "refused":
      return { word: "Refused", detail: asOf }
  }
}

/** Why what is shown may be old, or is not all; empty if it is true now. `unread` is what cannot be loaded, see `Loaded`. */
export function bannerWords(
  { state, reason, confirmedMs }: Pick<Connection, "state" | "reason" | "confirmedMs">,
  nowMs: number,
  unread: string,
): string {
  const isLost = state === "stale" || state === "refused"
  if (!isLost) return unread === "" ? "" : `${unread}.`
  if (confirmedMs === null) return `${reason}. Nothing here is live.`
  const ago = roughly((nowMs - confirmedMs) / 1000)
  return `${reason}. Showing the state at ${at(confirmedMs, nowMs)}, ${ago} ago.`
}

/** What is known of the connection, as names and values. */
export function connectionFacts(
  { state, lastEventId, confirmedMs, lagMs, skewMs, reason }: Connection,
  stats: Stats | null,
): readonly (readonly [name: string, value: string])[] {
  return [
    ...(reason === "" ? [] : [["Problem", reason] as const]),
    ["Confirmed", confirmedMs === null ? "not yet" : inFull(confirmedMs)],
    ["Latest update", lastEventId === null ? "none" : `ID ${count(lastEventId)}`],
    ["Latency", lagMs !== null ? `${Math.round(lagMs)} ms` : state === "live" ? "idle" : "unknown"],
    ["Uptime", stats === null ? "unknown" : roughly(stats.uptime_seconds)],
    ["Clock offset", `${Math.round(Math.abs(skewMs))} ms`],
  ]
}

/** What is wrong with the server, for ears: at once, and then at most once a minute, as some problems come and go. */
export class SpokenTroubles {
  #titles = ""
  #saidMs = Number.NEGATIVE_INFINITY

  /** What is to be read out at `nowMs`, by a clock that does not jump; empty if it is nothing. */
  at(nowMs: number, troubles: readonly Pick<Troubles[number], "title">[]): string {
    const titles = troubles.map(({ title }) => title).join(", ")
    if (titles === this.#titles || nowMs - this.#saidMs < SAID_AGAIN_MS) return ""
    this.#titles = titles
    this.#saidMs = nowMs
    return titles === "" ? "The server has recovered" : `Problems of the server: ${titles}`
  }
}

/** The badge that shows how far to trust the page, the facts behind it, and the banner for when it is out of date. */
export class ConnectionBadge {
  readonly #retry: () => void
  readonly #button = byId("badge", HTMLButtonElement)
  readonly #word = el("span", { class: "word" })
  readonly #detail = el("span", { class: "detail" })
  readonly #next = el("span", { class: "detail next" })
  readonly #facts = byId("facts", HTMLElement)
  readonly #banner = byId("banner", HTMLElement)
  readonly #reason = el("p")
  readonly #again = el("button", { type: "button" })
  #state: Connection["state"] = "connecting"
  #unread = ""
  readonly #spoken = new SpokenTroubles()
  #latest: Parameters<ConnectionBadge["update"]> | undefined

  constructor(retry: () => void) {
    this.#retry = retry
    this.#button.replaceChildren(
      el("span", { class: "dot", "aria-hidden": "true" }),
      this.#word,
      this.#detail,
      this.#next,
    )
    this.#again.addEventListener("click", () => this.#retry())
    this.#banner.replaceChildren(this.#reason, this.#again)
    this.#facts.addEventListener("beforetoggle", ({ newState }) => {
      if (newState !== "open" || !this.#latest) return
      const [connection, stats] = this.#latest
      this.#tell(connection, stats)
    })
    this.#facts.addEventListener("toggle", () => {
      const { bottom, right } = this.#button.getBoundingClientRect()
      this.#facts.style.top = `${bottom + 8}px`
      this.#facts.style.left = `${Math.max(8, right - this.#facts.offsetWidth)}px`
    })
  }

  /** Shows how things stand; `isExplained` if the page says already why the server refuses this reader. */
  update(
    connection: Connection,
    stats: Stats | null,
    { isExplained, ...loaded }: Loaded & { readonly isExplained: boolean },
  ): void {
    this.#latest = [connection, stats, { isExplained, ...loaded }]
    const nowMs = Date.now()
    const { state, reason, confirmedMs } = connection
    const troubles = stats?.degraded ?? []
    const { word, detail, next = "" } = badgeWords(connection, nowMs, troubles, loaded)
    const { unread } = loaded
    const isBehind = connection.behind > 0 || (connection.lagMs ?? 0) > 2000 || unread !== ""
    mark(this.#button, "data-state", state)
    mark(this.#button, "data-warns", state === "live" && (isBehind || troubles.length > 0) ? "" : null)
    setText(this.#word, word)
    setText(this.#detail, detail)
    setText(this.#next, next === "" ? "" : `· ${next}`)
    mark(
      document.documentElement,
      "data-trust",
      state === "live" ? "now" : confirmedMs === null ? "nothing" : "old",
    )
    const banner = bannerWords(connection, nowMs, unread)
    show(this.#banner, banner !== "" && !(state === "refused" && isExplained))
    mark(this.#banner, "data-tone", state === "refused" ? "bad" : "warn")
    if (banner !== "") setText(this.#reason, banner)
    if (unread !== this.#unread) this.#missing(unread, state)
    setText(this.#again, connection.needsToken ? "Enter a token" : "Try now")
    if (state !== this.#state) this.#turned(state, reason)
    const spoken = this.#spoken.at(performance.now(), troubles)
    if (spoken !== "") announce(spoken)
    if (this.#facts.matches(":popover-open")) this.#tell(connection, stats)
  }

  #turned(state: Connection["state"], reason: string): void {
    const before = this.#state
    this.#state = state
    if (state === "live" && before !== "connecting") announce("Live again")
    if (state === "stale" || state === "refused") announce(reason)
  }

  #missing(unread: string, state: Connection["state"]): void {
    this.#unread = unread
    // Without a connection nothing is known of it.
    if (state === "live") announce(unread || "All is loaded")
  }

  #tell(connection: Connection, stats: Stats | null): void {
    const rows = connectionFacts(connection, stats).map(([name, fact]) =>
      el("div", {}, el("dt", {}, name), el("dd", {}, fact)),
    )
    const troubles = (stats?.degraded ?? []).map(({ title, about }) =>
      el("p", {}, el("b", {}, capital(title)), ` ${capital(about)}.`),
    )
    this.#facts.replaceChildren(...troubles, el("h2", {}, "Connection"), el("dl", {}, ...rows))
  }
}
