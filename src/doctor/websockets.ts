import { faulty, type Finding, good, unknown } from "./finding.ts"
import {
  type Answer,
  answerWords,
  isBusy,
  isLimit,
  NO_ID,
  type Patient,
  refusalIn,
  sendRequest,
} from "./send-request.ts"

/** A socket that watches an item which is never added, so that nothing is sent. */
const SOCKET = `/progress/ws?ids=${NO_ID}`

/** Milliseconds until a WebSocket of the server's own page says that it is live; undefined if it never does. */
function liveSocket({ url, token, patienceMs }: Patient): Promise<number | undefined> {
  const startedMs = performance.now()
  const address = `${url.href.replace(/^http/, "ws").replace(/\/+$/, "")}/api/v1${SOCKET}`
  // Some proxies refuse a request that does not say which program sent it.
  const headers = {
    origin: url.origin,
    "user-agent": "track-studio doctor",
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
  // Bun takes headers; the types of the DOM, which the page needs, do not have them.
  const socket = new WebSocket(address, { headers } as unknown as string[])
  return new Promise((resolve) => {
    const end = (ms?: number): void => {
      clearTimeout(timer)
      resolve(ms)
      socket.close()
    }
    const timer = setTimeout(end, patienceMs)
    socket.onmessage = ({ data }) => {
      if (String(data).includes('"event":"live"')) end(performance.now() - startedMs)
    }
    socket.onclose = () => end()
  })
}

/** The answer to a plain request for a WebSocket. */
const asked = (patient: Patient, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  sendRequest(patient, {
    path: SOCKET,
    headers: {
      origin: patient.url.origin,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dHJhY2sgc3R1ZGlvIDopIQ==",
      ...headers,
    },
  })

/** Whether a WebSocket opens, from the server's own page. */
export async function socketOf(patient: Patient): Promise<Finding> {
  const about = "WebSockets"
  const ms = await liveSocket(patient)
  if (ms !== undefined) return good(about, `open after ${Math.ceil(ms)} ms`)
  // The WebSocket client hides the refusal, so a plain request asks for it.
  const answer = await asked(patient)
  const { status } = answer
  if (status === 101) return faulty(about, "not_upgraded", "they open, but no message arrives")
  const { error, code } = refusalIn(answer)
  const says = `do not open: ${error || answerWords(answer)}`
  if (isLimit(answer)) return faulty(about, "limited", says)
  if (isBusy(answer)) return unknown(about, says)
  if (code !== "forbidden") return faulty(about, "not_upgraded", says)
  // A caller who may watch is refused if the server sees another host or another scheme than the page has.
  const same = await asked(patient, { "sec-fetch-site": "same-origin" })
  return faulty(about, refusalIn(same).code === "forbidden" ? "host_changed" : "scheme_lost", says)
}
