import { expect, setDefaultTimeout, test } from "bun:test"

import { Ajv2020 } from "ajv/dist/2020"

import { dice } from "../item/estimate/chance.ts"
import { figure, size } from "../proof.ts"
import { start } from "../server.ts"
import { type Description, Requests } from "./made-up-requests.ts"

setDefaultTimeout(900_000)

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31))
/** Requests that may never end, if they are answered at all. */
const ENDLESS = /\/progress\/stream/

/** Where a refusal with 503 is what the request asks for. */
const ASKED = /\/refusals\/unavailable(?:\?|$)/

test("requests made up from the API's description get described answers, and a refused one changes nothing", async () => {
  await using server = await start({ args: ["--stall-after-ms", "86400000"] })
  const description: Description = await (await fetch(`${server.url}/openapi.json`)).json()
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  ajv.addSchema({ $id: "api", components: description.components })
  const schemaOf = (schema: object): object =>
    JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"api#/components'))
  const validators = new WeakMap<object, ReturnType<typeof ajv.compile>>()
  const requests = new Requests(description, dice(seed))
  const statuses = new Map<number, number>()
  const faults: string[] = []
  const count = size(600, 100_000)
  let head = await server.head()
  for (let i = 0; i < count; i += 1) {
    if (i % 50 === 0) requests.ids.push(await server.add({ song_id: 1 }))
    if (requests.ids.length > 40) requests.ids.splice(0, 20)
    const { method, path, headers, body, operation } = requests.next()
    if (i % 50 === 0) head = await server.head()
    const abort = new AbortController()
    const answer = await fetch(`${server.url}${path}`, {
      method,
      headers,
      signal: abort.signal,
      ...(body !== undefined && { body }),
    })
    const { status } = answer
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    const fault = (said: string): void => {
      faults.push(
        `SEED=${seed}, request ${i}: ${method} ${path.slice(0, 200)} ${body?.slice(0, 200) ?? ""}: ${said}`,
      )
    }
    const described = operation.responses[String(status)]
    const isFailure = status >= 500 && !ASKED.test(path)
    if (isFailure) fault(`${status} ${await answer.clone().text()}`)
    else if (!described) fault(`${status} is not described`)
    const type = answer.headers.get("content-type") ?? ""
    if (status < 300 && ENDLESS.test(path)) abort.abort()
    else if (type.startsWith("application/json") && !isFailure) {
      const said: unknown = await answer.json()
      const schema = described?.content?.["application/json"]?.schema
      if (schema) {
        const fits = validators.get(schema) ?? ajv.compile(schemaOf(schema))
        validators.set(schema, fits)
        if (!fits(said)) fault(`${JSON.stringify(said).slice(0, 300)} ${ajv.errorsText(fits.errors)}`)
      }
      const lease = (said as { lease?: { token?: unknown } }).lease?.token
      if (typeof lease === "string") requests.leases.push(lease)
      if (requests.leases.length > 20) requests.leases.shift()
    } else await answer.arrayBuffer()
    const now = await server.head()
    if ((status >= 400 || method === "GET") && now !== head && !path.includes("/ingest/")) {
      fault(`${status}, and the history went from ${head} to ${now}`)
    }
    head = now
    if (faults.length > 20) break
  }
  const told = [...statuses].toSorted(([a], [b]) => a - b).map(([status, times]) => `${times} x ${status}`)
  figure(
    `${count} requests made up from the description, seed ${seed}: ${told.join(", ")}; ${faults.length} faults`,
  )
  expect(faults).toEqual([])
})
