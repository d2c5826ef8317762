import { sentenceOf } from "../live/server.ts"
import { el, icon, setText } from "./dom.ts"

let ids = 0
let shown: HTMLDialogElement | undefined

/** A label, its input, and a hint below. */
export function entry(label: string, input: HTMLInputElement, hint?: HTMLElement | string): HTMLElement {
  input.id = `field-${++ids}`
  const told = typeof hint === "string" ? el("p", {}, hint) : hint
  if (told) {
    told.id = `${input.id}-hint`
    told.classList.add("hint")
    input.setAttribute("aria-describedby", told.id)
  }
  return el("div", { class: "field" }, el("label", { for: input.id }, label), input, ...(told ? [told] : []))
}

interface DialogParts {
  readonly title: string
  readonly content: readonly Node[]
  readonly yes: string
  /** Absent if there is nothing to decide. */
  readonly no?: string
  readonly danger?: boolean
  /** Performs the action. If it throws, the dialog stays open with the reason. */
  readonly submit: () => Promise<void> | void
}

/** Submits the form once at a time; a failure is shown in `problem`, and a success closes the dialog. */
async function submitted(
  { submit }: DialogParts,
  dialog: HTMLDialogElement,
  submitter: HTMLButtonElement,
  problem: HTMLElement,
): Promise<void> {
  submitter.disabled = true
  try {
    await submit()
    dialog.close()
  } catch (error) {
    setText(problem, sentenceOf(error))
  } finally {
    submitter.disabled = false
  }
}

/** Opens a modal dialog; resolves when it is closed. The browser gives the focus back to where it was. */
export function open(parts: DialogParts): Promise<void> {
  const { title, content, yes, no, danger = false } = parts
  const heading = el("h2", { id: `dialog-${++ids}` }, title)
  const problem = el("p", { class: "problem", role: "alert" })
  const submitter = el("button", { type: "submit", class: danger ? "danger" : "primary" }, yes)
  const dismiss = el("button", { type: "button", hidden: no === undefined }, no ?? "")
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
  // What is typed replaces the former value.
  form.querySelector<HTMLInputElement>("input:not([type=radio])")?.select()
  // For an action that cannot be undone, one key press must not be enough.
  if (danger) dismiss.focus()
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove()
      resolve()
    })
  })
}

/** Closes the dialog that is open, if any, with nothing done. */
export const closeDialog = (): void => shown?.close()

/**
 * The words on the buttons of a question, and whether something is lost if the reader agrees; default true.
 */
interface Answers {
  readonly yes: string
  readonly no: string
  readonly danger?: boolean
}

/** Asks whether to continue. */
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
