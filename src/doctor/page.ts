import { printable } from "../text.ts"
import { faulty, type Finding, good, note, unknown } from "./finding.ts"
import { type Answer, answerWords, isBusy, type Patient, sendRequest } from "./send-request.ts"

const TITLE = "<title>Track Studio</title>"

/** A part of the page's policy that no other page has. */
const OWN_POLICY = "trusted-types track-studio"

/** The files that the page loads, by their relative addresses. */
const FILES = /(?:src|href)="\.(\/assets\/[^"]+)"/g

const ofPage = { isOfPage: true, isNamed: false } as const

/** An answer's status and headers say enough about a file; the connection is closed without its content. */
const fileAt = (patient: Patient, path: string): Promise<Answer> =>
  sendRequest(patient, { ...ofPage, path, until: () => true })

/** What came instead of a file, or undefined if the file came. */
function insteadOf({ status, headers }: Answer): string | undefined {
  const type = String(headers["content-type"] ?? "")
  if (status === 200 && !type.startsWith("text/html")) return undefined
  return status === 0 ? "no answer" : printable(status === 200 ? "another page" : String(status))
}

/** Whether browsers get the page of the server, with all that it needs. */
export async function pageFinding(patient: Patient): Promise<Finding> {
  const about = "page"
  const answer = await sendRequest(patient, { ...ofPage, path: "/", headers: { accept: "text/html" } })
  const { status, headers, text } = answer
  if (isBusy(answer)) return unknown(about, answerWords(answer))
  if (status === 0 || status >= 500)
    return faulty(about, "page_broken", `it does not arrive: ${answerWords(answer)}`)
  if (status !== 200 || !text.includes(TITLE)) {
    const what = status === 200 ? "another page, or none for browsers" : answerWords(answer)
    return note(about, `the server's own page is not at this address: ${what}`)
  }
  for (const [, path = ""] of text.matchAll(FILES)) {
    const file = await fileAt(patient, path)
    if (isBusy(file)) return unknown(about, `${printable(path)}: ${answerWords(file)}`)
    const instead = insteadOf(file)
    if (instead !== undefined)
      return faulty(about, "page_broken", `it cannot work: ${printable(path)} is answered with ${instead}`)
  }
  const policy = String(headers["content-security-policy"] ?? "")
  // Two headers of one name are read as one, with a comma between their values.
  if (policy !== "" && (policy.includes(",") || !policy.includes(OWN_POLICY)))
    return faulty(about, "policy_changed", "it may show nothing: its Content-Security-Policy was changed")
  return good(about, "arrives with all of its files")
}
