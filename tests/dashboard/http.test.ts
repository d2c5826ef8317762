import { afterAll, beforeAll, describe, expect, test } from "bun:test"

import { start, type TestServer } from "../server.ts"

const HTML = { accept: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8" }
const MAX_BYTES = 60_000

let server: TestServer
beforeAll(async () => {
  server = await start()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
})

const get = (path: string, headers: Record<string, string> = HTML): Promise<Response> =>
  fetch(server.url + path, { headers, decompress: false })

/** The assets of the page, by the names that the page at this path uses. */
async function assetsOf(path: string): Promise<string[]> {
  const html = await (await fetch(server.url + path, { headers: HTML })).text()
  return [...html.matchAll(/(?:src|href)="(\.{1,2}\/assets\/[^"]+)"/g)].map(
    ([, name = ""]) => new URL(name, server.url + path).pathname,
  )
}

describe("the page", () => {
  test.each(["/", "/items/7", "/items/seven"])(
    "is served at %s to clients that accept HTML, and asked for again each time",
    async (path) => {
      const answer = await get(path)
      expect(answer.status).toBe(200)
      expect(answer.headers.get("content-type")).toBe("text/html;charset=utf-8")
      expect(answer.headers.get("cache-control")).toBe("no-cache")
      expect(answer.headers.get("vary")).toBe("accept, accept-encoding")
      const etag = answer.headers.get("etag") ?? ""
      // A cache may have several versions, and sends the names of all of them.
      for (const tags of [etag, `W/"older", ${etag}`, `${etag},W/"older"`]) {
        const again = await get(path, { ...HTML, "if-none-match": tags })
        expect([again.status, await again.text()]).toEqual([304, ""])
        expect(again.headers.get("vary")).toBe("accept, accept-encoding")
      }
    },
  )

  test("allows no inline script or style, no other origin, and no frame around it", async () => {
    const html = await (await fetch(server.url, { headers: HTML })).text()
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/)
    const policy = (await get("/")).headers.get("content-security-policy") ?? ""
    expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain("unsafe")
    expect(policy).not.toContain("http")
    // Nor does it tell other sites from which item somebody comes.
    expect((await get("/items/7")).headers.get("referrer-policy")).toBe("no-referrer")
  })

  test("names assets by their content, from wherever it stands, and they are kept for ever", async () => {
    const assets = await assetsOf("/")
    expect(assets.map((path) => /\.\w+$/.exec(path)?.[0]).sort()).toEqual([".css", ".js", ".svg"])
    expect(await assetsOf("/items/7")).toEqual(assets)
    for (const path of assets) {
      const answer = await get(path)
      expect(answer.status).toBe(200)
      expect(answer.headers.get("cache-control")).toBe("public, max-age=31536000, immutable")
      expect(answer.headers.get("x-content-type-options")).toBe("nosniff")
    }
  })

  test("weighs less than 60 kB, everything together and compressed", async () => {
    let bytes = 0
    for (const path of ["/", ...(await assetsOf("/"))]) {
      const answer = await get(path, { ...HTML, "accept-encoding": "gzip" })
      expect(answer.headers.get("content-encoding")).toBe("gzip")
      bytes += (await answer.arrayBuffer()).byteLength
    }
    expect(bytes).toBeGreaterThan(5000)
    expect(bytes).toBeLessThan(MAX_BYTES)
  })

  test("is sent as it is to clients that cannot decompress", async () => {
    for (const encoding of ["identity", "gzip;q=0, identity"]) {
      const answer = await get("/", { ...HTML, "accept-encoding": encoding })
      expect(answer.headers.get("content-encoding")).toBeNull()
      expect(await answer.text()).toStartWith("<!doctype html>")
    }
  })

  test("answers HEAD as GET, without a body", async () => {
    const answer = await fetch(server.url, { method: "HEAD", headers: HTML })
    expect([answer.status, await answer.text()]).toEqual([200, ""])
  })
})

describe("beside the page", () => {
  test.each([
    ["/items/7", { accept: "application/json" }],
    ["/items/seven", { accept: "application/json" }],
    ["/assets/nothing.js", {}],
    ["/assets/..%2findex.html", {}],
    ["/nothing", {}],
  ])("%s %o is 404 in the envelope", async (path, headers) => {
    const answer = await get(path, headers)
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ code: "not_found", error: expect.any(String) })
  })

  test.each(["/", "/items/7", "/assets/x.js"])("POST %s is 405, and says what is allowed", async (path) => {
    const answer = await fetch(server.url + path, { method: "POST", headers: HTML })
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET"])
    expect(await answer.json()).toMatchObject({ code: "method_not_allowed" })
  })

  test("the API answers as before, CORS included", async () => {
    const headers = { origin: "http://elsewhere.test", "access-control-request-method": "PUT" }
    const preflight = await fetch(`${server.url}/api/v1/queue/1`, { method: "OPTIONS", headers })
    expect(preflight.headers.get("access-control-allow-origin")).toBe("*")
    expect(preflight.headers.get("access-control-allow-methods")).toContain("PUT")
    const queue = await fetch(`${server.url}/api/v1/queue`, { headers: { ...HTML, ...headers } })
    expect(await queue.json()).toEqual({ queue: [], next: null })
  })
})
