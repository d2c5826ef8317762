import { lookup } from "node:dns/promises"

import { REFUSALS } from "../errors.ts"
import { isLoopback } from "../loopback.ts"
import { printable } from "../text.ts"
import { faulty, type Finding, good, note, unknown } from "./finding.ts"
import {
  type Answer,
  answerWords,
  foreignAnswerWords,
  hostOf,
  isBusy,
  isLimit,
  isOurs,
  NO_HOST,
  NO_ID,
  type Patient,
  refusalIn,
  type Request,
  saidIn,
  sendRequest,
} from "./send-request.ts"

/** No item has the largest possible number, so a request for it changes nothing. */
const NO_ITEM = `/queue/${NO_ID}`
const NOTHING = `${NO_ITEM}/cancel`

/** The server's answer to a change that is sent as a browser would send it from a page of this origin. */
const changed = (patient: Patient, headers: Readonly<Record<string, string>>): Promise<Answer> =>
  sendRequest(patient, { method: "POST", path: NOTHING, isNamed: false, headers })

/** The largest body that the server takes. A proxy may refuse it. */
const LARGEST = " ".repeat(64 * 1024)

/** Requests that the server refuses: with each method that changes something, and with different statuses. */
const REFUSED: readonly Request[] = [
  { method: "POST", path: NOTHING, isNamed: false },
  { method: "PUT", path: NO_ITEM, isNamed: false, headers: { "content-type": "text/plain" } },
  { method: "DELETE", path: NO_ITEM, isNamed: false },
  { path: NO_ITEM },
  { path: "/queue/doctor" },
  { method: "POST", path: "/health" },
  // A server with tokens refuses a lease alone with another status than an item that is not there.
  { method: "POST", path: `${NO_ITEM}/heartbeat`, isNamed: false, headers: { lease: "doctor" } },
  // A proxy may keep away what workers send. Nothing is claimed or added: the type of the body is refused.
  ...["/queue", "/queue/claim"].map((path) => ({
    method: "POST",
    path,
    isNamed: false,
    headers: { "content-type": "text/plain" },
    body: LARGEST,
  })),
  ...["progress", "complete", "fail", "release", "output"].map((report) => ({
    method: "POST",
    path: `${NO_ITEM}/${report}`,
    isNamed: false,
    body: LARGEST,
  })),
  // Workers send these again and again, and a proxy may limit them alone.
  ...["heartbeat", "progress"].flatMap((report) =>
    Array.from({ length: 3 }, () => ({
      method: "POST",
      path: `${NO_ITEM}/${report}`,
      isNamed: false,
      headers: { lease: "doctor" },
    })),
  ),
  ...Array.from({ length: 3 }, () => ({
    method: "POST",
    path: "/queue/claim",
    isNamed: false,
    headers: { "content-type": "text/plain" },
  })),
]

/** The status of each code of a refusal. */
const STATUSES = new Map<string, number>(Object.entries(REFUSALS).map(([code, { status }]) => [code, status]))

/**
 * Whether a refusal is the server's, with the status of its code. A proxy may have replaced the answer by one to
 * another request. A server of another version may have other codes.
 */
export function isWholeRefusal(answer: Answer): boolean {
  const { code } = refusalIn(answer)
  return code !== "" && (STATUSES.get(code) ?? answer.status) === answer.status
}

/** Whether refusals come from the server itself: workers act on their contents. */
export async function refusalsOf(patient: Patient): Promise<Finding> {
  const about = "answers"
  for (const request of REFUSED) {
    const { method = "GET", path } = request
    const answer = await sendRequest(patient, request)
    if (isWholeRefusal(answer)) continue
    const what = `${method} ${path.replace(NO_ITEM, "/queue/ID")}: ${answerWords(answer)}`
    if (answer.status === 0) return unknown(about, what)
    const { body, ...bare } = request
    // Programs refuse a body that is too long for them with different statuses.
    if (body !== undefined && !isLimit(answer) && isWholeRefusal(await sendRequest(patient, bare)))
      return faulty(
        about,
        "body_limited",
        `${what}: a body of ${LARGEST.length / 1024} kB is refused on its way`,
      )
    return faulty(about, isLimit(answer) ? "limited" : "answers_replaced", `${what}, not from the server`)
  }
  return good(about, "come from the server itself, even refusals")
}

/** A page of a proxy may be its own refusal of strangers; an answer of the server to another request was put there. */
const notWhole = (answer: Answer): Finding =>
  isOurs(answer)
    ? faulty("strangers", "answers_replaced", `${answerWords(answer)}, with the text of another`)
    : unknown("strangers", foreignAnswerWords(answer))

/** Whether the right pages may change things: the server's own pages, and no others. */
export async function originsOf(patient: Patient): Promise<readonly Finding[]> {
  const { url } = patient
  const [unasked, own, same, foreign] = await Promise.all([
    changed(patient, {}),
    changed(patient, { origin: url.origin }),
    changed(patient, { origin: url.origin, "sec-fetch-site": "same-origin" }),
    changed(patient, { origin: `https://${NO_HOST}` }),
  ])
  const answers = [unasked, own, same, foreign]
  const strange = answers.find((answer) => !isWholeRefusal(answer))
  if (strange) return [notWhole(strange)]
  const busy = answers.find(isBusy)
  if (busy) return [unknown("strangers", refusalIn(busy).error)]
  // A server may refuse the change for other reasons as well.
  const { error: otherwise } = refusalIn(unasked)
  const isRefused = (answer: Answer): boolean => {
    const { error, code } = refusalIn(answer)
    return code === "forbidden" && error !== otherwise
  }
  const strangers = isRefused(foreign)
    ? good("strangers", "pages of other sites may not change anything")
    : faulty(
        "strangers",
        "origin_open",
        "the server does not see that a change comes from another site's page",
      )
  if (!isRefused(own)) return [good("its own page", "may change things"), strangers]
  const page = isRefused(same)
    ? faulty(
        "its own page",
        "host_changed",
        `may change nothing: the server sees another host than ${url.host}`,
      )
    : faulty(
        "its own page",
        "scheme_lost",
        "may change nothing: the server does not know that the request came by https",
      )
  return [page, strangers]
}

/** Whether the server answers under a foreign name. If it does, a stranger's page could read everything. */
export async function foreignHost(patient: Patient): Promise<Finding> {
  // A cache on the way knows no answer to this query, which says nothing to the server.
  const path = `/health?doctor=${crypto.randomUUID()}`
  const answer = await sendRequest(patient, { path, isNamed: false, headers: { host: NO_HOST } })
  if (saidIn(answer)["service"] === undefined)
    return good("other names", "requests for other host names are refused")
  return faulty("other names", "host_open", `it answers to any host name, such as ${NO_HOST}`)
}

/** An address that belongs to no machine. */
const FORGED = "192.0.2.1"

/** An address of this machine that no server trusts as that of a proxy. */
const ASIDE = "127.0.0.2"

const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/

/** Whether an address leads only to this machine, as that of a tunnel does. */
async function isNear(url: URL): Promise<boolean> {
  if (isLoopback(url.hostname)) return true
  const found = await lookup(hostOf(url), { all: true }).catch(() => [])
  return found.some(({ address }) => LOOPBACK.test(address))
}

/** Whether the address that the server sees can be that of this machine. */
export function seenAs(seen: string, isNear: boolean): Finding {
  const about = "addresses"
  const says = `this machine is seen as ${printable(seen)}`
  if (isNear || !LOOPBACK.test(seen)) return good(about, says)
  const so =
    "a proxy hides its clients: they share the limits of one, and a server without tokens trusts them all"
  return faulty(about, "client_hidden", `${says}, so ${so}`)
}

/**
 * The finding if the server sees two addresses of this machine as one. Behind a tunnel or a container this is no
 * fault.
 */
const hiddenBehind = (seen: string): Finding =>
  note(
    "addresses",
    `two addresses of this machine are both seen as ${printable(seen)}; unless a tunnel or a container is in between, a proxy gives that one to all clients, which then share its limits; nginx: proxy_set_header X-Forwarded-For $remote_addr; HAProxy: option forwardfor`,
  )

/**
 * Whether the server sees the address from which requests come, and does not believe a client's statement
 * about it.
 */
export async function addressOf(patient: Patient, isProxied: boolean): Promise<Finding> {
  const about = "addresses"
  // A server that is asked directly would take this program for a proxy.
  const headers = isProxied ? { "x-forwarded-for": FORGED } : {}
  const seen = async (from?: string): Promise<unknown> =>
    saidIn(await sendRequest(patient, { path: "/progress/stats", headers, from }))["client_address"]
  const address = await seen()
  const { reasons } = saidIn(await sendRequest(patient, { path: "/health", isNamed: false }))
  if (Array.isArray(reasons) && reasons.includes("proxy_untrusted")) {
    return faulty(about, "proxy_untrusted", "all clients of the proxy count as one, and share its limits")
  }
  if (typeof address !== "string") return unknown(about, "the server does not show them")
  const aside = isLoopback(patient.url.hostname) ? await seen(ASIDE) : undefined
  if (address !== FORGED)
    return address === aside ? hiddenBehind(address) : seenAs(address, await isNear(patient.url))
  // A proxy that adds its own address to the client's statement is right. From the proxy's address, which is
  // trusted, this cannot be seen.
  if (aside === ASIDE) return good(about, "clients elsewhere are seen as they are")
  return faulty(about, "address_forgeable", "a client can claim any address, and so escape all limits")
}

/** Whether the token is accepted, and whether the clocks agree. */
export async function accountOf(
  patient: Patient,
): Promise<{ readonly isIn: boolean; readonly findings: Finding[] }> {
  const sentMs = patient.now()
  const answer = await sendRequest(patient, { path: "/progress/stats" })
  const { status, lastMs } = answer
  const { error } = refusalIn(answer)
  if (status === 200) {
    const { timestamp, service } = saidIn(answer)
    if (service !== undefined) {
      const says = "an answer to /health comes for /progress/stats: a cache takes one address for another"
      return { isIn: false, findings: [faulty("access", "cached", says)] }
    }
    return {
      isIn: true,
      findings: [good("access", "granted"), clocks(Date.parse(String(timestamp)), sentMs, lastMs)],
    }
  }
  if (isLimit(answer))
    return {
      isIn: false,
      findings: [faulty("access", "limited", foreignAnswerWords(answer))],
    }
  const isLost = patient.token !== undefined && (error === "" || error.includes("needs a token"))
  const finding = isLost
    ? faulty("access", "token_lost", "a token was sent, but does not reach the server")
    : faulty("access", "not_let_in", error || answerWords(answer))
  return { isIn: false, findings: [finding] }
}

const MOST_OFF_MS = 5000

function clocks(serverMs: number, sentMs: number, tookMs: number): Finding {
  if (Number.isNaN(serverMs)) return unknown("clock", "the server does not show its time")
  const offMs = serverMs - sentMs - tookMs / 2
  const seconds = Math.round(Math.abs(offMs) / 1000)
  if (Math.abs(offMs) <= MOST_OFF_MS + tookMs / 2) return good("clock", "agrees with this machine's")
  const which = offMs > 0 ? "ahead of" : "behind"
  return faulty("clock", "clock_off", `the server's is ${seconds} s ${which} this machine's`)
}

/** As long as an address with the ids of 256 items, the most that a stream may name, and a token. */
const LONG = "1".repeat(5000)

/** Statuses with which programs refuse an address or headers that are too long for them. */
const TOO_LONG: readonly number[] = [400, 414, 431, 494]

/** Whether the query of an address arrives: it has filters, tickets, and the place at which to resume. */
export async function queriesOf(patient: Patient): Promise<Finding> {
  // A cache that does not look at queries may keep lists alone, and has one by now.
  const ofList = await sendRequest(patient, { path: "/queue?doctor=1" })
  const answer =
    ofList.status === 200 ? ofList : await sendRequest(patient, { path: "/progress/stats?doctor=1" })
  if (refusalIn(answer).code === "invalid") {
    const long = await sendRequest(patient, { path: `/progress/stats?doctor=${LONG}` })
    if (TOO_LONG.includes(long.status) && !isOurs(long))
      return faulty("queries", "address_limited", `long ones are refused: ${foreignAnswerWords(long)}`)
    return good("queries", "arrive unchanged")
  }
  if (answer.status === 200)
    return faulty(
      "queries",
      "query_lost",
      "do not arrive: filters and tickets do not work, without any error",
    )
  return unknown("queries", answerWords(answer))
}
