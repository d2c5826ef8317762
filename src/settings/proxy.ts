/** The names and addresses that this machine has for itself. */
const LOOPBACK = ["localhost", "127.0.0.0/8", "::1", "[::1]", "0.0.0.0", "::", "[::]"]
const PROXIES = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"]
const EXCEPTIONS = ["NO_PROXY", "no_proxy"] as const

/** The variables that we changed, as they were. */
let inherited: Readonly<Partial<Record<(typeof EXCEPTIONS)[number], string | undefined>>> = {}

/**
 * Sends requests to this machine directly and not through the proxy of the environment, as browsers do. No
 * proxy can reach `localhost` of this machine, and it would see tokens and leases. Requests to other machines
 * go through the proxy as before.
 */
export function passProxy(env: NodeJS.ProcessEnv = process.env): void {
  if (!PROXIES.some((name) => env[name])) return
  const named = EXCEPTIONS.map((name) => env[name] ?? "").find((value) => value !== "") ?? ""
  if (named.trim() === "*") return
  inherited = Object.fromEntries(EXCEPTIONS.map((name) => [name, env[name]]))
  const all = [...(named === "" ? [] : [named]), ...LOOPBACK].join(",")
  for (const name of EXCEPTIONS) env[name] = all
}

/**
 * For a command that this program runs: the variables that `passProxy` changed, with their previous values;
 * `undefined` removes one.
 */
export const proxyAsInherited = (): typeof inherited => inherited
