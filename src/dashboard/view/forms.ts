import type { NewItem, QueueItem } from "../../item/item.ts"
import { TOKEN_PATTERN, TOKEN_WORDS } from "../../token-format.ts"
import { server } from "../live/server.ts"
import type { KnownQueue } from "../model/known-queue.ts"
import { capital, count, flagWords, nameOf } from "../model/wording.ts"
import { entry, open } from "./dialogs.ts"
import { el, setText } from "./dom.ts"

/** The most characters of a title that is typed here. */
const LONGEST_TITLE = 200

const ordinal = (n: number): string => {
  const suffix = n % 100 > 10 && n % 100 < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th")
  return `${count(n)}${suffix}`
}

/**
 * The place that an item would have with a priority: `3rd of 72`, or `behind the first 500` of those that are
 * known here.
 */
function placeWith(item: QueueItem, priority: number, queue: KnownQueue): string {
  const others = queue.waiting().filter(({ id }) => id !== item.id)
  const before = others.filter(
    (other) =>
      other.priority > priority || (other.priority === priority && (other.turn ?? other.id) < item.id),
  ).length
  const total = queue.waitingTotal() ?? others.length + 1
  return before === others.length && others.length + 1 < total
    ? `behind the first ${count(before)}`
    : `${ordinal(before + 1)} of ${count(total)}`
}

/**
 * Performs the choice of a dialog. If that fails, the dialog stays open with the typed values and the reason.
 * @throws Error that says why it failed
 */
type Choose<T> = (chosen: T) => Promise<void>

/** Asks for another priority, and shows the place in the queue in advance. */
export function askPriority(item: QueueItem, queue: KnownQueue, choose: Choose<number>): Promise<void> {
  const input = el("input", {
    type: "number",
    step: 1,
    min: -1e9,
    max: 1e9,
    required: true,
    value: item.priority,
  })
  const hint = el("p", { "aria-live": "polite" })
  const tell = (): void => {
    const priority = input.valueAsNumber
    setText(
      hint,
      Number.isNaN(priority)
        ? "A whole number. Higher numbers run first."
        : `Higher numbers run first. It will be ${placeWith(item, priority, queue)}.`,
    )
  }
  input.addEventListener("input", tell)
  tell()
  return open({
    title: `Priority of ${nameOf(item)}`,
    content: [entry("Priority", input, hint)],
    yes: "Set priority",
    no: "Cancel",
    submit: () => choose(input.valueAsNumber),
  })
}

/** Asks for another title. */
export function askTitle(item: QueueItem, choose: Choose<string>): Promise<void> {
  // A title that came in another way may be longer, and can be corrected as it is.
  const maxlength = Math.max(LONGEST_TITLE, item.title.length)
  const input = el("input", { type: "text", maxlength, autocomplete: "off", value: item.title })
  return open({
    title: `Rename ${nameOf(item)}`,
    content: [entry("Title", input, "Shown instead of the song ID. Leave it empty to show the song ID.")],
    yes: "Rename",
    no: "Cancel",
    submit: () => choose(input.value.trim()),
  })
}

const FLAGS: readonly QueueItem["flag"][] = [null, "image_issue", "lyrics_issue", "timing_issue"]

/** Asks what is wrong with an item's video; null for nothing. */
export function askFlag(item: QueueItem, choose: Choose<QueueItem["flag"]>): Promise<void> {
  const choices = FLAGS.map((flag) => {
    const checked = flag === item.flag
    const input = el("input", { type: "radio", name: "flag", checked, autofocus: checked })
    const words = capital(flagWords(flag)) || "No issue"
    return { flag, input, label: el("label", { class: "radio" }, input, words) }
  })
  return open({
    title: `Flag ${nameOf(item)}`,
    content: [
      el(
        "div",
        { class: "field", role: "radiogroup", "aria-label": "Issue" },
        ...choices.map(({ label }) => label),
      ),
    ],
    yes: "Set flag",
    no: "Cancel",
    submit: () => choose(choices.find(({ input }) => input.checked)?.flag ?? null),
  })
}

/** A key that identifies a repeated request. On plain http there is no `crypto.randomUUID`. */
const newKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")

/** Asks for a song and adds it to the queue; null when dismissed. */
export async function addSong(): Promise<QueueItem | null> {
  const song = el("input", { type: "number", min: 1, step: 1, required: true, inputmode: "numeric" })
  const title = el("input", { type: "text", maxlength: LONGEST_TITLE, autocomplete: "off" })
  const priority = el("input", { type: "number", step: 1, min: -1e9, max: 1e9, value: 0, required: true })
  const attempts = el("input", { type: "number", step: 1, min: 1, max: 100, value: 3, required: true })
  const tags = el("input", { type: "text", autocomplete: "off" })
  // If the request is sent twice, because of a second click or a lost answer, the song is still added once.
  const key = newKey()
  let added: QueueItem | null = null
  const body = (): NewItem => ({
    song_id: song.valueAsNumber,
    title: title.value.trim(),
    priority: priority.valueAsNumber,
    max_attempts: attempts.valueAsNumber,
    tags: [...new Set(tags.value.split(",").map((tag) => tag.trim()))].filter((tag) => tag !== ""),
  })
  await open({
    title: "Add a song",
    content: [
      entry("Song ID", song),
      entry("Title", title, "Optional. Shown instead of the song ID."),
      el(
        "div",
        { class: "pair" },
        entry("Priority", priority, "Higher numbers run first."),
        entry("Attempts", attempts),
      ),
      entry("Tags", tags, "Optional, separated by commas. Only workers with all of these tags will take it."),
    ],
    yes: "Add to the queue",
    no: "Cancel",
    submit: async () => {
      added = await server.add(body(), key)
    },
  })
  return added
}

/** What an access token looks like, and where it comes from. */
const tokenHint = (): HTMLElement =>
  el(
    "p",
    {},
    "It begins with tsk_. The owner of the server creates it with ",
    el("code", {}, "track-studio token create"),
  )

/** Asks for an access token, and says why in the title and the hint; undefined when dismissed. */
export async function askToken(
  title: string,
  hint: HTMLElement | string = tokenHint(),
): Promise<string | undefined> {
  let given: string | undefined
  const input = el("input", {
    type: "password",
    autocomplete: "current-password",
    required: true,
    pattern: TOKEN_PATTERN,
    title: TOKEN_WORDS,
  })
  await open({
    title,
    content: [entry("Access token", input, hint)],
    yes: "Continue",
    no: "Cancel",
    submit: () => void (given = input.value),
  })
  return given
}
