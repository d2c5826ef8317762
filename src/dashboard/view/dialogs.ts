import type { NewItem, QueueItem } from "../../item/item.ts"
import { sentenceOf, server } from "../live/server.ts"
import { count, nameOf } from "../model/text.ts"
import { el, icon, say } from "./dom.ts"

let ids = 0
let shown: HTMLDialogElement | undefined

/** A label, its input, and a hint below. */
function field(label: string, input: HTMLInputElement, hint?: HTMLElement | string): HTMLElement {
  input.id = `field-${++ids}`
  const told = typeof hint === "string" ? el("p", {}, hint) : hint
  if (told) {
    told.id = `${input.id}-hint`
    told.classList.add("hint")
    input.setAttribute("aria-describedby", told.id)
  }
  return el("div", { class: "field" }, el("label", { for: input.id }, label), input, ...(told ? [told] : []))
}

interface Parts {
  readonly title: string
  readonly content: readonly Node[]
  readonly yes: string
  readonly no: string
  readonly danger?: boolean
  /** Does it; throws to keep the dialog open with the reason. */
  readonly submit: () => Promise<void> | void
}

/** Submits the form once at a time; what fails is said in `problem`, and what is done closes the dialog. */
async function submitted(
  { submit }: Parts,
  dialog: HTMLDialogElement,
  submitter: HTMLButtonElement,
  problem: HTMLElement,
): Promise<void> {
  submitter.disabled = true
  try {
    await submit()
    dialog.close()
  } catch (error) {
    say(problem, sentenceOf(error))
  } finally {
    submitter.disabled = false
  }
}

/** Opens a modal dialog; resolves when it is closed. The browser gives the focus back to where it was. */
function open(parts: Parts): Promise<void> {
  const { title, content, yes, no, danger = false } = parts
  const heading = el("h2", { id: `dialog-${++ids}` }, title)
  const problem = el("p", { class: "problem", role: "alert" })
  const submitter = el("button", { type: "submit", class: danger ? "danger" : "primary" }, yes)
  const dismiss = el("button", { type: "button" }, no)
  const close = el("button", { type: "button", class: "plain close", "aria-label": "Close" }, icon("close"))
  const buttons = el("div", { class: "buttons" }, dismiss, submitter)
  const form = el("form", {}, heading, ...content, problem, buttons, close)
  const dialog = el("dialog", { "aria-labelledby": heading.id }, form)
  for (const button of [dismiss, close]) button.addEventListener("click", () => dialog.close())
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    void submitted(parts, dialog, submitter, problem)
  })
  document.body.append(dialog)
  dialog.showModal()
  shown = dialog
  // What cannot be undone is not one key press away.
  if (danger) dismiss.focus()
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove()
      resolve()
    })
  })
}

/** Closes whatever dialog is open, with nothing done. */
export const closeDialog = (): void => shown?.close()

/** The words on the buttons of a question, and whether something is lost by a yes; default true. */
interface Answers {
  readonly yes: string
  readonly no: string
  readonly danger?: boolean
}

/** Asks whether to go on. */
export async function confirm(
  title: string,
  text: string,
  { yes, no, danger = true }: Answers,
): Promise<boolean> {
  let agreed = false
  const submit = (): void => {
    agreed = true
  }
  await open({ title, content: [el("p", {}, text)], yes, no, danger, submit })
  return agreed
}

const ordinal = (n: number): string => {
  const suffix = n % 100 > 10 && n % 100 < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th")
  return `${count(n)}${suffix}`
}

/** Asks for another priority, and foretells the place in the queue; null when dismissed. */
export async function askPriority(item: QueueItem, waiting: readonly QueueItem[]): Promise<number | null> {
  let chosen: number | null = null
  const input = el("input", {
    type: "number",
    step: 1,
    min: -1e9,
    max: 1e9,
    required: true,
    value: item.priority,
  })
  const hint = el("p", { "aria-live": "polite" })
  const others = waiting.filter(({ id }) => id !== item.id)
  const tell = (): void => {
    const priority = input.valueAsNumber
    const before = others.filter(
      (other) => other.priority > priority || (other.priority === priority && other.id < item.id),
    )
    const place = `${ordinal(before.length + 1)} of ${count(others.length + 1)}`
    say(
      hint,
      Number.isNaN(priority)
        ? "A whole number. Higher numbers run first."
        : `Higher numbers run first. It will be ${place}.`,
    )
  }
  input.addEventListener("input", tell)
  tell()
  await open({
    title: `Priority of ${nameOf(item)}`,
    content: [field("Priority", input, hint)],
    yes: "Set priority",
    no: "Cancel",
    submit: () => {
      chosen = input.valueAsNumber
    },
  })
  return chosen
}

/** A key that makes a repeated request the same one. `crypto.randomUUID` is missing on plain http. */
const newKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")

/** Asks for a song and adds it to the queue; null when dismissed. */
export async function addSong(): Promise<QueueItem | null> {
  const song = el("input", { type: "number", min: 1, step: 1, required: true, inputmode: "numeric" })
  const title = el("input", { type: "text", maxlength: 200, autocomplete: "off" })
  const priority = el("input", { type: "number", step: 1, min: -1e9, max: 1e9, value: 0, required: true })
  const attempts = el("input", { type: "number", step: 1, min: 1, max: 100, value: 3, required: true })
  const tags = el("input", { type: "text", autocomplete: "off" })
  // Sent twice, by an impatient click or a lost answer, it is still added once.
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
      field("Song ID", song),
      field("Title", title, "Optional. Shown instead of the song ID."),
      el(
        "div",
        { class: "pair" },
        field("Priority", priority, "Higher numbers run first."),
        field("Attempts", attempts),
      ),
      field("Tags", tags, "Optional, separated by commas. Only workers with all of these tags will take it."),
    ],
    yes: "Add to the queue",
    no: "Cancel",
    submit: async () => {
      added = await server.add(body(), key)
    },
  })
  return added
}

/** Asks for an access token; undefined when dismissed. */
export async function askToken(): Promise<string | undefined> {
  let given: string | undefined
  const input = el("input", {
    type: "password",
    autocomplete: "current-password",
    required: true,
    pattern: "tsk_[A-Za-z0-9_\\-]{43}",
    title: "tsk_ and 43 characters",
  })
  await open({
    title: "This server needs a token",
    content: [
      field(
        "Access token",
        input,
        "It begins with tsk_. Whoever runs the server makes one: track-studio token create",
      ),
    ],
    yes: "Continue",
    no: "Cancel",
    submit: () => void (given = input.value),
  })
  return given
}
