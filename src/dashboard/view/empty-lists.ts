import type { QueueItem } from "../../item/item.ts"
import { isLoopback } from "../../loopback.ts"
import { counted, shellWord } from "../../text.ts"
import { BASE } from "../live/server.ts"
import { tokenForCurl } from "../live/token.ts"
import { ENDED, EVERYTHING, type Query, searchOf } from "../model/query.ts"
import type { ListedWorkers } from "../model/workers.ts"
import { el, mark, setText, show, svg } from "./dom.ts"

/** A flat line: the wave of a song before anything is heard. */
function flatLine(): SVGSVGElement {
  const strokes = Array.from({ length: 40 }, (_, i) => {
    const high = i % 9 === 4 ? 3 : 1
    return `M${i * 6 + 3} ${12 - high}V${12 + high}`
  })
  return svg(
    "svg",
    { class: "flat-line", viewBox: "0 0 240 24", "aria-hidden": "true" },
    svg("path", { d: strokes.join("") }),
  )
}

/** What an empty list says. */
export const empty = (text: string, ...more: readonly Node[]): HTMLElement =>
  el("div", { class: "empty" }, el("p", {}, text), ...more)

/** Why nothing is shown, and where something is. */
export interface Nothing {
  /** Why; empty if the list says it itself. */
  readonly says: string
  /** The text of the link to other items; empty for no link. */
  readonly way: string
  /** The items to which it leads. */
  readonly to: Query
}

/** The words for a list if no item fits this query. With `isElsewhere`, items of another standing have its words. */
export function nothingFor({ text, which }: Query, isElsewhere: boolean): Nothing {
  const everything = { way: "Show everything", to: EVERYTHING }
  if (text === "") return { says: which === "all" ? "" : ENDED[which][1], ...everything }
  if (!isElsewhere) return { says: `Nothing matches “${text}”.`, ...everything }
  const says = `No ${which} item matches “${text}”, but others do.`
  return { says, way: "Show them", to: { text, which: "all" } }
}

/** The words for a list if all waiting items start later. */
export const ONLY_LATER: Nothing = { says: "No song can start now.", way: "", to: EVERYTHING }

/** How a list is shown of which nothing could be read. */
export const UNREAD = {
  isLoaded: false,
  isOptional: false,
  nothing: { says: "Could not be loaded.", way: "", to: EVERYTHING },
}

/** Says that nothing was found, and leads to other items. */
export class NothingFound {
  readonly #why = el("span")
  readonly #way = el("a", {})
  /** The paragraph, for the page; hidden at first. */
  readonly element = el("p", { class: "none", hidden: true }, this.#why, " ", this.#way)

  /** Changes what it says. */
  say({ says, way, to }: Nothing): void {
    setText(this.#why, says)
    setText(this.#way, way)
    show(this.#way, way !== "")
    mark(this.#way, "href", BASE.pathname + searchOf(to))
  }
}

/** A command with more tags than this would be too long to type. */
const MAX_TAGS = 8

/**
 * The command that starts a worker for this server which takes any of these items. The parts of the command
 * belong together.
 */
function workCommand(items: readonly QueueItem[]): string[] {
  const isHere = isLoopback(BASE.hostname) && BASE.port === "8080"
  const server = isHere ? [] : [`--server ${BASE.href.replace(/\/$/, "")}`]
  const needed = [...new Set(items.flatMap((item) => item.tags))].slice(0, MAX_TAGS).join()
  const tags = needed === "" ? [] : [`--tags ${/^[\w,.:-]+$/.test(needed) ? needed : shellWord(needed)}`]
  return ["track-studio work", ...server, ...tags, "--exec ./render.sh"]
}

/** A command's parts, with spaces between them. */
const wordsOf = (parts: readonly string[]): (Node | string)[] =>
  parts.flatMap((part, at) => [...(at === 0 ? [] : [" "]), el("span", {}, part)])

/** A command that breaks between its parts on a phone, and is one line to copy. A part that is too long is scrolled. */
const commandLine = (parts: readonly string[]): HTMLElement =>
  el("code", { class: "command", tabindex: 0 }, ...wordsOf(parts))

/** What is known of a queue in which nothing is running. */
export interface IdleQueue {
  /** The workers, as far as they are known. */
  readonly workers: ListedWorkers
  /** How many items wait for a worker, without those that start later; null if that is not known yet. */
  readonly waiting: number | null
  /** The first items that wait or start later: their tags are those that a worker needs. */
  readonly first: readonly QueueItem[]
  /** Whether the queue is paused. */
  readonly isPaused: boolean
  /** Whether the reader may change the queue: a reader who may only look at it is not asked to start a worker. */
  readonly mayChange: boolean
}

/** What the list of running items says when nothing is running. */
export class Idle {
  readonly #text = el("p")
  readonly #command = commandLine([])
  /** The element that shows the text. */
  readonly element = el("div", { class: "empty" }, flatLine(), this.#text, this.#command)

  /** Shows how to start a worker that could render something. */
  update({ workers: { workers, isKnown }, waiting, first, isPaused, mayChange }: IdleQueue): void {
    const ready = workers.filter(({ state, draining }) => state === "idle" && !draining).length
    const isUnserved = isKnown && ready === 0 && !isPaused
    const songs = waiting === null ? "Songs wait" : counted(waiting, "song waits", "songs wait")
    const [lack, start] =
      waiting === 0 ? ["Nothing is rendering.", "Start a worker:"] : [`${songs} for a worker.`, "Start one:"]
    const text = isPaused
      ? "The queue is paused, and nothing is rendering."
      : ready > 0
        ? `Nothing is rendering. ${counted(ready, "worker is", "workers are")} ready.`
        : !isKnown
          ? "Nothing is rendering."
          : mayChange
            ? `${lack} ${start}`
            : lack
    setText(this.#text, text)
    if (isUnserved) this.#type(workCommand(first))
    show(this.#command, isUnserved && mayChange)
  }

  #type(parts: readonly string[]): void {
    if (this.#command.textContent !== parts.join(" ")) this.#command.replaceChildren(...wordsOf(parts))
  }
}

/** The command that adds a song from a terminal. */
export function example(): HTMLElement {
  const url = new URL("api/v1/queue", BASE).href
  const type = '-H "Content-Type: application/json"'
  const token = tokenForCurl()
  const own = token === "" ? [] : [token]
  const line = commandLine(["curl -X POST", url, ...own, type, `-d '{"song_id": 1}'`])
  line.dataset["needs"] = "add"
  return line
}
