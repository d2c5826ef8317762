/** The kind of a program by the first word of its `User-Agent`. Every browser begins with Mozilla. */
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
 * The kind of the client: `browser`, `curl`, `bun`, `node`, `deno`, `python`, `go`, `other`, or `unknown` if
 * it does not say. Only these words are used, because each stream keeps one in memory for as long as it is
 * open.
 */
export function clientKind({ headers }: Request): string {
  const agent = headers.get("user-agent")
  if (!agent) return "unknown"
  const end = agent.search(/[/ ]/)
  return KINDS.get(end < 0 ? agent : agent.slice(0, end)) ?? "other"
}
