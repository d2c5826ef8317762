import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const canInstall = process.getuid?.() === 0 && Bun.which("apt-get") !== null

/** Whether there is a Chromium, or one can be installed. */
export const hasChromium = Bun.which("chromium") !== null || canInstall

/** The path of Chromium. It is installed if it is missing and may be installed. */
async function chromium(): Promise<string> {
  const found = Bun.which("chromium")
  if (found !== null) return found
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  for (const command of [["update"], ["install", "--yes", "--no-install-recommends", "chromium"]]) {
    await Bun.spawn(["apt-get", "--quiet", "--quiet", ...command], { env, stdout: "ignore" }).exited
  }
  return Bun.which("chromium") ?? "chromium"
}

/**
 * A host name that is not localhost, so that the page is no secure context. Chromium gets its address by a
 * flag.
 */
export const HOST = "box"
/** Host names of other sites, in the same network and elsewhere. Chromium finds them on this machine, too. */
export const STRANGERS = ["studio-pc.lan", "evil.example"] as const

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
  // Each window would load four pages for its address bar, and they cost twice as much as the page under test.
  "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,WebUIOmniboxFullPopup",
  `--host-resolver-rules=${[HOST, ...STRANGERS].map((host) => `MAP ${host} 127.0.0.1`).join(", ")}`,
]

interface Message {
  readonly id?: number
  readonly method?: string
  readonly sessionId?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

type Params = Readonly<Record<string, unknown>>

interface Point {
  readonly x: number
  readonly y: number
}

/** How to open a tab. */
export interface TabOptions {
  readonly width?: number
  readonly height?: number
  readonly dark?: boolean
  readonly phone?: boolean
  /** Opens it in front of the latest tab, which is then hidden, and not in its own window. */
  readonly hides?: boolean
  /** The time zone of the browser; default: that of the machine. */
  readonly timeZone?: string
  /** A script that runs before the scripts of the page. */
  readonly before?: string
  /** Allows scripts that the policy of the page would not allow, such as axe. */
  readonly bypassPolicy?: boolean
}

/** A browser for one test file, controlled over its debugging socket. */
export class Browser {
  readonly #child: Bun.Subprocess
  readonly #socket: WebSocket
  readonly #folder: string
  readonly #waiting = new Map<number, (message: Message) => void>()
  readonly #listeners = new Map<string, (message: Message) => void>()
  #id = 0

  private constructor(child: Bun.Subprocess, socket: WebSocket, folder: string) {
    this.#child = child
    this.#socket = socket
    this.#folder = folder
    socket.addEventListener("message", ({ data }: MessageEvent<string>) => {
      const message: Message = JSON.parse(data)
      if (message.id !== undefined) this.#waiting.get(message.id)?.(message)
      else this.#listeners.get(message.sessionId ?? "")?.(message)
    })
  }

  /** Starts Chromium with a fresh profile. */
  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), "track-studio-chromium-"))
    const child = Bun.spawn(
      ["nice", await chromium(), ...FLAGS, `--user-data-dir=${folder}`, "about:blank"],
      {
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
      },
    )
    const url = await listening(child.stderr)
    const socket = new WebSocket(url)
    await new Promise((resolve) => socket.addEventListener("open", resolve, { once: true }))
    return new Browser(child, socket, folder)
  }

  /** Sends a command and returns its result. */
  async send(method: string, params: Params = {}, sessionId?: string): Promise<Record<string, unknown>> {
    this.#id += 1
    const id = this.#id
    const { promise, resolve } = Promise.withResolvers<Message>()
    this.#waiting.set(id, resolve)
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }))
    const { result = {}, error } = await promise
    this.#waiting.delete(id)
    if (error) throw new Error(`${method}: ${error.message}`)
    return result
  }

  /** Opens a tab; resolves when its page has loaded. */
  async open(url: string, options: TabOptions = {}): Promise<Tab> {
    const { targetId } = await this.send("Target.createTarget", {
      url: "about:blank",
      newWindow: !options.hides,
    })
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true })
    const tab = new Tab(this, String(targetId), String(sessionId))
    this.#listeners.set(String(sessionId), (message) => tab.hear(message.method ?? "", message.params ?? {}))
    await tab.prepare(options)
    await tab.go(url)
    return tab
  }

  /** Ends the browser, and removes its profile. */
  async stop(): Promise<void> {
    await this.send("Browser.close").catch(() => undefined)
    await this.#child.exited
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** The address of the debugging socket, from Chromium's first output. */
async function listening(stderr: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  const reader = stderr.getReader()
  let said = ""
  for (;;) {
    const { value, done } = await reader.read()
    if (done) throw new Error(`chromium did not start: ${said}`)
    said += decoder.decode(value, { stream: true })
    const [, url] = /DevTools listening on (ws:\S+)/.exec(said) ?? []
    if (url === undefined) continue
    void (async () => {
      while (!(await reader.read()).done);
    })()
    return url
  }
}

/** One tab. */
export class Tab {
  /** What the page has reported: errors, and violations of its policy. */
  readonly complaints: string[] = []
  readonly targetId: string
  readonly #browser: Browser
  readonly #session: string
  #loaded = Promise.withResolvers<void>()
  #url = ""
  #pointer = { x: 0, y: 0 }

  constructor(browser: Browser, targetId: string, session: string) {
    this.#browser = browser
    this.targetId = targetId
    this.#session = session
  }

  send(method: string, params: Params = {}): Promise<Record<string, unknown>> {
    return this.#browser.send(method, params, this.#session)
  }

  hear(method: string, params: Record<string, unknown>): void {
    if (method === "Page.loadEventFired") this.#loaded.resolve()
    if (method === "Runtime.exceptionThrown") {
      const { exceptionDetails }: { exceptionDetails?: { exception?: { description?: string } } } = params
      this.complaints.push(exceptionDetails?.exception?.description ?? "an exception")
    }
    if (method === "Log.entryAdded") {
      const { entry }: { entry?: { level?: string; text?: string; source?: string } } = params
      // Some tests are about a server that is unavailable or refuses.
      if (entry?.level === "error" && entry.source !== "network") this.complaints.push(entry.text ?? "")
    }
  }

  async prepare({
    width = 1280,
    height = 900,
    dark = false,
    phone = false,
    timeZone,
    before,
    bypassPolicy,
  }: TabOptions): Promise<void> {
    for (const domain of ["Page", "Runtime", "Log"]) await this.send(`${domain}.enable`)
    const metrics = phone
      ? { width: 390, height: 844, deviceScaleFactor: 2, mobile: true }
      : { width, height, deviceScaleFactor: 1, mobile: false }
    await this.send("Emulation.setDeviceMetricsOverride", metrics)
    if (phone) await this.send("Emulation.setTouchEmulationEnabled", { enabled: true })
    await this.colours(dark)
    if (timeZone !== undefined) await this.send("Emulation.setTimezoneOverride", { timezoneId: timeZone })
    if (before !== undefined) await this.send("Page.addScriptToEvaluateOnNewDocument", { source: before })
    if (bypassPolicy) await this.send("Page.setBypassCSP", { enabled: true })
  }

  async go(url: string): Promise<void> {
    this.#loaded = Promise.withResolvers<void>()
    this.#url = url
    await this.send("Page.navigate", { url })
    await this.#loaded.promise
  }

  /** Brings it in front of the other tabs, which are then hidden. */
  async show(): Promise<void> {
    await this.send("Page.bringToFront")
  }

  /** Sets dark or light colours. */
  async colours(dark: boolean): Promise<void> {
    const features = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]
    await this.send("Emulation.setEmulatedMedia", { features })
  }

  /** Makes it as wide as this. */
  async resize(width: number): Promise<void> {
    await this.send("Emulation.setDeviceMetricsOverride", {
      width,
      height: 800,
      deviceScaleFactor: 1,
      mobile: false,
    })
  }

  /** The address of another path of the same server. */
  at(path: string): string {
    return new URL(path, this.#url).href
  }

  /** The value of an expression in the page; promises are awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const {
      result,
      exceptionDetails,
    }: { result?: { value: T }; exceptionDetails?: { exception?: { description?: string } } } =
      await this.send("Runtime.evaluate", {
        expression,
        returnByValue: true,
        awaitPromise: true,
        userGesture: true,
      })
    if (exceptionDetails || !result) throw new Error(exceptionDetails?.exception?.description ?? "no result")
    return result.value
  }

  /** Resolves with the value of an expression once it is truthy. */
  async until<T>(expression: string, timeoutMs = 60_000): Promise<T> {
    const endMs = performance.now() + timeoutMs
    // This asks from outside the page, because timers of hidden tabs are slow.
    for (;;) {
      const value = await this.evaluate<T>(
        `(() => { try { return ${expression} } catch { return undefined } })()`,
      )
      if (value) return value
      if (performance.now() > endMs) {
        throw new Error(
          `never: ${expression}\n${await this.evaluate<string>("document.body.innerText.slice(0, 1500)")}`,
        )
      }
      await Bun.sleep(15)
    }
  }

  /** The objections of axe, in a tab that bypasses the policy of the page. */
  async objections(): Promise<string[]> {
    const axe = readFileSync("node_modules/axe-core/axe.min.js", "utf8")
    if (await this.evaluate<boolean>("!globalThis.axe")) await this.evaluate(`${axe}; 0`)
    return await this.evaluate<string[]>(
      `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes[0].html.slice(0, 200) + nodes[0].failureSummary))`,
    )
  }

  /** Where an element is in the view, once it is there. */
  async #placeOf(selector: string): Promise<Point> {
    return await this.until<Point>(`(() => {
      const found = document.querySelector(${JSON.stringify(selector)})
      found.scrollIntoView({ block: "center" })
      const { left, top, width, height } = found.getBoundingClientRect()
      return width > 0 && { x: left + width / 2, y: top + height / 2 }
    })()`)
  }

  /** The same, but it waits until neither the element nor its containers move. */
  async #steadyPlaceOf(selector: string): Promise<Point> {
    await this.until(`(() => {
      for (let one = document.querySelector(${JSON.stringify(selector)}); one; one = one.parentElement)
        if (one.getAnimations().length > 0) return false
      return true
    })()`)
    // The page above it may still grow, and a click must not go to the former place.
    for (let before = await this.#placeOf(selector); ;) {
      await Bun.sleep(40)
      const now = await this.#placeOf(selector)
      if (now.x === before.x && now.y === before.y) return now
      before = now
    }
  }

  /** Clicks an element that does not move, as with a mouse. */
  async click(selector: string): Promise<void> {
    this.#pointer = await this.#steadyPlaceOf(selector)
    await this.clickAgain()
  }

  /**
   * Clicks an element until an expression is truthy: the page ignores a second click that comes soon after
   * the first.
   */
  async clickUntil(selector: string, expression: string): Promise<void> {
    for (;;) {
      await this.click(selector)
      const isDone = await this.until(expression, 3000).then(
        () => true,
        () => false,
      )
      if (isDone) return
    }
  }

  /** Opens the menu of this button. */
  async openMenu(button: string): Promise<void> {
    await this.clickUntil(button, `document.querySelector("[role=menu]")`)
  }

  /** Clicks at the present place of the mouse. */
  async clickAgain(): Promise<void> {
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.send("Input.dispatchMouseEvent", { type, ...this.#pointer, button: "left", clickCount: 1 })
    }
  }

  /** Moves the mouse to an element. */
  async hover(selector: string): Promise<void> {
    this.#pointer = await this.#steadyPlaceOf(selector)
    await this.send("Input.dispatchMouseEvent", { type: "mouseMoved", ...this.#pointer })
  }

  /** Types text into the focused element. */
  async type(text: string): Promise<void> {
    await this.send("Input.insertText", { text })
  }

  /** Presses a key. */
  async press(key: string): Promise<void> {
    const text = key === "Enter" ? "\r" : undefined
    const code = { Enter: 13, Tab: 9, Escape: 27, ArrowDown: 40, ArrowUp: 38 }[key] ?? 0
    await this.send("Input.dispatchKeyEvent", {
      type: "keyDown",
      key,
      code: key,
      windowsVirtualKeyCode: code,
      ...(text && { text }),
    })
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", key, code: key, windowsVirtualKeyCode: code })
  }

  /** A picture of the view, or of the whole page. */
  async screenshot(file: string, whole = false): Promise<void> {
    const { data } = await this.send("Page.captureScreenshot", {
      format: "png",
      captureBeyondViewport: whole,
    })
    await Bun.write(file, Buffer.from(String(data), "base64"))
  }

  async close(): Promise<void> {
    await this.#browser.send("Target.closeTarget", { targetId: this.targetId })
  }
}
