import { readFileSync } from "node:fs"
import { hostname } from "node:os"

/** The words of each line of a system file, without comments; empty if it cannot be read. */
function linesOf(path: string, read: (path: string) => string): string[][] {
  try {
    return read(path)
      .split("\n")
      .map((line) => line.replace(/#.*/, "").trim().toLowerCase().split(/\s+/))
  } catch {
    return []
  }
}

/**
 * The host names of this machine: its own name, also with `.local` and with the search domains of
 * /etc/resolv.conf, and its other names in /etc/hosts. `name` and `read` are the machine's by default.
 */
export function ownNames(
  name: string = hostname(),
  read: (path: string) => string = (path) => readFileSync(path, "utf8"),
): ReadonlySet<string> {
  const own = name.toLowerCase()
  const [short = own] = own.split(".")
  const domains = linesOf("/etc/resolv.conf", read).flatMap(([word, ...rest]) =>
    word === "domain" || word === "search" ? rest : [],
  )
  const beside = linesOf("/etc/hosts", read).flatMap(([, ...names]) =>
    names.includes(own) || names.includes(short) ? names : [],
  )
  return new Set([own, `${short}.local`, ...domains.map((domain) => `${short}.${domain}`), ...beside])
}
