/** What the first word of `User-Agent` says of a program; every browser says Mozilla. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ["Mozilla", "browser"],
  ["curl", "curl"],
  ["Bun", "bun"],
  ["node", "node"],
  ["Deno", "deno"],
  ["python-requests", "python"],
  ["python-httpx", "python"],
  ["Python", "python"],
  ["Go-http-client", "go"],
])

/**
 * What kind of client sends a request: `browser`, `curl`, `bun`, `node`, `deno`, `python`, `go`, `other`, or
 * `unknown` if it does not say. Only these words are used, because a stream keeps one in memory for as long as
 * it is open.
 */
export function clientKind({ headers }: Request): string {
  const agent = headers.get("user-agent")
  if (!agent) return "unknown"
  const end = agent.search(/[/ ]/)
  return KINDS.get(end < 0 ? agent : agent.slice(0, end)) ?? "other"
}
