import { missedUpdates } from "../text.ts"
import { askRights, askStarts, askWorkers } from "./live/periodic-questions.ts"
import { BASE, NEEDS_TOKEN } from "./live/server.ts"
import { HubLine } from "./live/tabs.ts"
import { changeToken, isTokenShared, ownToken, watchShared } from "./live/token.ts"
import { unreadHere } from "./live/unread-parts.ts"
import type { MissedUpdates, StreamUpdate } from "./model/hub-messages.ts"
import { Model } from "./model/model.ts"
import { queryIn, searchOf } from "./model/query.ts"
import { unknownRights } from "./model/rights.ts"
import { screenPath } from "./model/screen-path.ts"
import { type Glance, glanceOf } from "./model/tab-glance.ts"
import { unreadWords } from "./model/unread.ts"
import { capital, nameOf } from "./model/wording.ts"
import { ConnectionBadge } from "./view/connection-badge.ts"
import { closeDialog } from "./view/dialogs.ts"
import { byId, el, mark, show } from "./view/dom.ts"
import { addSong, askToken } from "./view/forms.ts"
import { Home } from "./view/home.ts"
import { ItemScreen } from "./view/item.ts"
import { listenForKeys, showKeys } from "./view/keyboard.ts"
import { closeMenu, closeStrayMenu } from "./view/menu.ts"
import { RightsNote } from "./view/rights-note.ts"
import type { Screen } from "./view/screen.ts"
import { selected } from "./view/selected-items.ts"
import { showVersion } from "./view/server-version.ts"
import { watchReader } from "./view/steady-lists.ts"
import { TabTitle } from "./view/tab-title.ts"
import { announce, notify, withdrawUndo } from "./view/toasts-and-undo.ts"

/** The page: one model, one of two screens, drawn at most once a frame. */
class DashboardPage {
  readonly #model: Model
  readonly #line: HubLine
  readonly #badge: ConnectionBadge
  readonly #starts: ReturnType<typeof askStarts>
  readonly #workers: ReturnType<typeof askWorkers>
  readonly #rights: ReturnType<typeof askRights>
  readonly #rightsNote = new RightsNote(() => void this.#askToken())
  readonly #home: Home
  readonly #face = new TabTitle()
  readonly #main = byId("main", HTMLElement)
  #screen: Screen
  #homeScroll = 0
  /** The link by which the reader left the queue's page. */
  #opened: HTMLAnchorElement | null = null
  /** The path of the screen. */
  #path = ""
  #framed = false
  #failedUnseen = false
  #wasLive = false
  #isAsking = false

  constructor() {
    this.#model = this.#newModel()
    this.#rightsNote.update(this.#model.rights, false)
    this.#home = this.#newHome()
    this.#screen = this.#home
    this.#line = new HubLine((message) => this.#model.hear(message))
    this.#badge = new ConnectionBadge(() => {
      this.#isAsking = false
      this.#line.retry()
      this.#starts.soon()
      this.#workers.soon()
    })
    unreadHere.changed = () => this.#changed()
    this.#starts = askStarts(
      () => this.#model.nowMs(),
      (foreseen) => {
        this.#model.foreseen = foreseen
        this.#tick()
      },
    )
    this.#workers = askWorkers((workers) => {
      this.#model.workers = workers
    })
    this.#rights = askRights(
      () => this.#model.nowMs(),
      (rights) => {
        this.#model.rights = rights
      },
    )
    this.#route(false)
    watchReader()
    setInterval(() => this.#tick(), 1000)
    this.#listen()
    forgetting()
    void showVersion()
  }

  #newModel(): Model {
    const ears: ConstructorParameters<typeof Model>[0] = {
      changed: () => this.#changed(),
      updates: (updates) => this.#updates(updates),
      items: (items, removed) => this.#home.put(items, removed),
      gap: gapToast,
      turned: () => {
        this.#home.forget()
        closeMenu()
        closeDialog()
        withdrawUndo()
        selected.clear()
      },
      ended: announce,
    }
    return new Model(ears, unknownRights(ownToken() !== undefined))
  }

  #newHome(): Home {
    return new Home(this.#model, {
      changed: () => this.#changed(),
      seek: (wanted, isStep) => {
        const address = BASE.pathname + searchOf(wanted)
        if (isStep) history.pushState(null, "", address)
        else history.replaceState(null, "", address)
        this.#home.want(wanted)
      },
      more: (list) => this.#line.more(list),
      recount: () => {
        this.#line.count()
        this.#workers.soon()
      },
    })
  }

  /** Handles what the reader does outside of the two screens. */
  #listen(): void {
    addEventListener("popstate", () => this.#route(true))
    watchShared()
    document.addEventListener("click", (event) => this.#click(event))
    document.addEventListener("visibilitychange", () => {
      this.#failedUnseen &&= document.hidden
      this.#tick()
    })
    byId("brand", HTMLAnchorElement).href = BASE.pathname
    byId("add", HTMLButtonElement).addEventListener("click", () => void this.#add())
    byId("docs", HTMLAnchorElement).href = new URL("docs", BASE).pathname
    byId("keys", HTMLButtonElement).addEventListener("click", () => void showKeys())
    listenForKeys(() => this.#search())
  }

  /** Asks the reader for a token, once until the page is loaded again. The badge asks again. */
  async #askToken(): Promise<void> {
    this.#isAsking = true
    const { needsToken } = this.#model.connection
    const token =
      needsToken && isTokenShared()
        ? await askToken("This link is not accepted", "Ask for a new link, or enter a token of your own.")
        : await askToken(whyToken(needsToken))
    if (token !== undefined) changeToken(token)
  }

  async #add(): Promise<void> {
    const added = await addSong()
    if (added) notify(`Added ${nameOf(added)} (#${added.id})`)
  }

  /** A hidden tab gets no frames, so its title and icon are updated separately. */
  #changed(): void {
    this.#glance()
    if (this.#framed) return
    this.#framed = true
    requestAnimationFrame(() => {
      this.#framed = false
      const changes = this.#model.take()
      if (changes.lists || changes.all) {
        this.#starts.soon()
        this.#workers.soon()
      }
      const isLive = this.#model.isLive()
      // Everything that counts by itself stops, or continues.
      this.#screen.frame(isLive === this.#wasLive ? changes : { ...changes, lists: true })
      closeStrayMenu()
      if (isLive && !this.#wasLive) {
        unreadHere.forget()
        this.#rights.soon()
        // Another server may answer now.
        void showVersion()
      }
      this.#wasLive = isLive
      this.#rightsNote.update(this.#model.rights, this.#model.connection.needsToken)
      this.#showBadge()
      // A dialog in which the reader types comes first.
      const isBusy = this.#isAsking || document.querySelector("dialog[open]") !== null
      if (this.#model.connection.needsToken && !isBusy) void this.#askToken()
    })
  }

  #updates(updates: readonly StreamUpdate[]): void {
    this.#home.hear(updates)
    if (this.#screen instanceof ItemScreen) this.#screen.hear(updates)
    if (document.hidden)
      this.#failedUnseen ||= updates.some(({ outcome }) => outcome === "failed" || outcome === "lost")
  }

  #tick(): void {
    this.#glance()
    if (document.hidden) return
    this.#model.tick()
    if (this.#model.isLive()) this.#screen.tick()
    this.#showBadge()
  }

  #showBadge(): void {
    const { loaded, state, stats, rights } = this.#model
    // A stream alone shows nothing: lists that have not been read are not the state at any time.
    const isBlank = !loaded && state.items.size === 0
    mark(this.#home.element, "data-blank", isBlank ? "" : null)
    const connection = { ...this.#model.connection, ...(isBlank && { confirmedMs: null }) }
    const isExplained = rights.why !== "" && !rights.may("read") && !connection.needsToken
    const isLive = connection.state === "live"
    const unread = isLive ? unreadWords([...this.#model.unread, ...unreadHere.parts], Date.now()) : ""
    const isAny = loaded || !rights.may("figures")
    this.#badge.update(connection, stats, { isExplained, isAny, unread })
  }

  #glance(): void {
    this.#face.show(() => this.#seen())
  }

  #seen(): Glance {
    const { tallies, lists, loaded } = this.#model
    return glanceOf({
      own: this.#screen.title(),
      lanes: lists.running,
      tallies,
      isLive: this.#model.isLive(),
      isLoaded: loaded,
      hasFailed: this.#failedUnseen,
      nowMs: this.#model.nowMs(),
    })
  }

  /** Moves the focus to the search, also from an item's page. */
  #search(): void {
    if (this.#screen !== this.#home) {
      history.pushState(null, "", BASE.pathname)
      this.#route(true)
    }
    this.#home.search()
  }

  #click(event: MouseEvent): void {
    const { target, button, metaKey, ctrlKey, shiftKey, altKey } = event
    const link = target instanceof Element ? target.closest("a") : null
    if (!link || button !== 0 || metaKey || ctrlKey || shiftKey || altKey || link.target !== "") return
    if (
      screenPath(link.pathname, BASE.pathname) === undefined ||
      link.origin !== location.origin ||
      link.hash !== ""
    )
      return
    event.preventDefault()
    if (link.pathname === location.pathname && link.search === location.search) return
    if (this.#screen === this.#home) {
      this.#homeScroll = scrollY
      this.#opened = link
    }
    history.pushState(null, "", link.pathname + link.search)
    this.#route(true)
  }

  #route(moved: boolean): void {
    closeMenu()
    unreadHere.read("item")
    unreadHere.read("history")
    const [before, left] = [this.#screen, this.#path]
    this.#path = location.pathname
    const id = screenPath(this.#path, BASE.pathname)
    if (id === null) this.#home.want(queryIn(location.search))
    if (typeof id === "number") this.#screen = new ItemScreen(id, this.#model, () => this.#changed())
    else this.#screen = location.pathname.startsWith(`${BASE.pathname}items/`) ? nowhere() : this.#home
    // Another view of the queue does not move the focus.
    if (moved && before === this.#home && this.#screen === before) return this.#changed()
    this.#main.replaceChildren(this.#screen.element)
    this.#screen.frame({ ids: new Set(), lists: true, all: true })
    this.#changed()
    if (!moved) return
    scrollTo(0, this.#screen === this.#home ? this.#homeScroll : 0)
    this.#focusAfter(left)
  }

  /** Puts the focus on the item from whose page the reader comes back, or else at the beginning. */
  #focusAfter(left: string): void {
    const links = [this.#opened, ...this.#main.querySelectorAll<HTMLAnchorElement>("a.name")]
    const link = links.find((one) => one?.pathname === left && one.checkVisibility())
    const to = link ?? this.#main.querySelector<HTMLElement>("h1")
    to?.focus({ preventScroll: true })
  }
}

/** The screen for an address of no item. */
function nowhere(): Screen {
  const gone = el(
    "div",
    { class: "empty gone" },
    el("h1", { class: "for-ears", tabindex: -1 }, "No such item"),
    el("p", {}, "No such item. Item numbers are whole numbers from 1."),
    el("a", { href: BASE.pathname }, "Back to the queue"),
  )
  return {
    element: el("div", { class: "item" }, gone),
    title: () => "No such item",
    frame: () => undefined,
    tick: () => undefined,
  }
}

function gapToast({ reason, missed }: MissedUpdates): void {
  if (reason === "history")
    return notify("The server now uses a different database. The page has been reloaded.")
  notify(`${capital(missedUpdates(missed))}. The page has been refreshed and is up to date.`)
}

/** Why the page asks for a token; `isNeeded` if the server wants one, or another one. */
function whyToken(isNeeded: boolean): string {
  if (ownToken() === undefined) return NEEDS_TOKEN
  return isNeeded ? "Your token is not accepted" : "Use another token"
}

/** The button that forgets the reader's token; hidden if there is none. */
function forgetting(): void {
  const token = byId("token", HTMLButtonElement)
  show(token, ownToken() !== undefined)
  token.addEventListener("click", () => changeToken(undefined))
}

/** Starts the page in its document. */
export function startPage(): void {
  new DashboardPage()
}
