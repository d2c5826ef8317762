import { afterAll, afterEach, beforeAll, beforeEach, describe, setDefaultTimeout } from "bun:test"

import { start, type StartOptions, type TestServer } from "../server.ts"
import { Browser, hasChromium, HOST, type Tab, type TabOptions } from "./browser.ts"

/** Describes what a page does; skipped if there is no Chromium. */
export const page = describe.skipIf(!hasChromium)

/** Whether the page is live. */
export const LIVE = `document.querySelector("#badge").dataset.state === "live"`

/** The address of a server by a name that is not localhost. */
export const addressOf = ({ url }: TestServer): string => url.replace("127.0.0.1", HOST)

/** The browser of a test file, and the server of the test that runs. */
export interface Opening {
  readonly browser: Browser
  readonly server: TestServer
  /** Opens a page, by default of this server; resolves when it is live. It is closed after the test. */
  readonly open: (path?: string, options?: TabOptions, at?: TestServer) => Promise<Tab>
}

/** Starts a browser for the tests of a file, and a server with these options for each; ends them afterwards. */
export function opening(options: StartOptions = {}): Opening {
  // The first run may have to install Chromium.
  setDefaultTimeout(300_000)
  let browser: Browser
  let server: TestServer
  const tabs: Tab[] = []
  beforeAll(async () => {
    if (hasChromium) browser = await Browser.start()
  })
  afterAll(async () => {
    if (hasChromium) await browser.stop()
  })
  beforeEach(async () => {
    server = await start(options)
  })
  afterEach(async () => {
    for (const tab of tabs.splice(0)) await tab.close()
    await server[Symbol.asyncDispose]()
  })
  return {
    get browser() {
      return browser
    },
    get server() {
      return server
    },
    async open(path = "/", tabOptions = {}, at = server) {
      const tab = await browser.open(addressOf(at) + path, tabOptions)
      tabs.push(tab)
      await tab.until(LIVE)
      return tab
    },
  }
}
