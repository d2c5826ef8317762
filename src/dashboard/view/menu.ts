import { el, icon } from "./dom.ts"

/** One thing that can be done, as a menu shows it. */
export interface Choice {
  /** The action, in a word or two; it ends with … if a dialog asks first. */
  readonly label: string
  /** The name of its icon in the document. */
  readonly icon: string
  /** Whether it destroys something; default false. */
  readonly danger?: boolean
  /** Whether it is in a menu even if there is room for buttons; default false. */
  readonly minor?: boolean
  /** Performs the action. */
  readonly choose: () => void
}

const GAP_PX = 6

let open: { readonly menu: HTMLElement; readonly opener: HTMLElement } | undefined

function place(menu: HTMLElement, opener: HTMLElement): void {
  const { bottom, top, right } = opener.getBoundingClientRect()
  const below = innerHeight - bottom > menu.offsetHeight + GAP_PX
  menu.style.top = `${below ? bottom + GAP_PX : Math.max(GAP_PX, top - GAP_PX - menu.offsetHeight)}px`
  menu.style.left = `${Math.max(GAP_PX, right - menu.offsetWidth)}px`
}

function walk(menu: HTMLElement, event: KeyboardEvent): void {
  const buttons = [...menu.querySelectorAll("button")]
  const at = buttons.findIndex((button) => button === document.activeElement)
  const last = buttons.length - 1
  const to = { ArrowDown: at === last ? 0 : at + 1, ArrowUp: at <= 0 ? last : at - 1, Home: 0, End: last }[
    event.key
  ]
  if (to === undefined) return
  event.preventDefault()
  buttons[to]?.focus()
}

/** Opens a menu at a button, or closes it if it is open. */
export function toggleMenu(opener: HTMLElement, label: string, choices: readonly Choice[]): void {
  const was = open
  was?.menu.hidePopover()
  if (was?.opener === opener) return
  const menu = el("div", { class: "menu", popover: "auto", role: "menu", "aria-label": label })
  for (const { label: text, icon: name, danger = false, choose } of choices) {
    const button = el(
      "button",
      { type: "button", role: "menuitem", class: danger ? "danger" : null },
      icon(name),
      text,
    )
    button.addEventListener("click", () => {
      menu.hidePopover()
      opener.focus()
      choose()
    })
    menu.append(button)
  }
  menu.addEventListener("keydown", (event) => {
    walk(menu, event)
    if (event.key === "Tab") menu.hidePopover()
  })
  menu.addEventListener("toggle", (event) => {
    if (event.newState !== "closed") return
    opener.setAttribute("aria-expanded", "false")
    menu.remove()
    // A click on the opener closes the menu before the opener hears of it: it must not open another.
    setTimeout(() => {
      if (open?.menu === menu) open = undefined
    })
  })
  const landmark = opener.closest("main, header") ?? document.body
  landmark.append(menu)
  open = { menu, opener }
  opener.setAttribute("aria-expanded", "true")
  menu.showPopover()
  place(menu, opener)
  menu.querySelector("button")?.focus()
}

/** Closes a menu whose button is no longer shown: its actions are no longer possible. */
export function closeStrayMenu(): void {
  if (open && !open.opener.checkVisibility()) open.menu.hidePopover()
}

/** Closes the open menu, if any. */
export const closeMenu = (): void => open?.menu.hidePopover()
