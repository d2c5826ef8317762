import type { Fault } from "../../src/doctor/finding.ts"

/** A change of one text. */
export const instead =
  (line: string, other: string) =>
  (config: string): string =>
    config.replace(line, other)

/** More lines in the location. */
export const also = (lines: string): ((config: string) => string) =>
  instead("proxy_http_version 1.1;", `proxy_http_version 1.1; ${lines}`)

/** A location of its own for some paths, with other lines. */
export const apart =
  (paths: string, lines: string) =>
  (config: string): string =>
    config.replace(
      "location / {",
      `location ${paths} {
        proxy_pass ${/http:\/\/track_studio_\d+/.exec(config)?.[0]}; proxy_set_header Host $http_host;
        ${lines}
      }
      location / {`,
    )

/** A misconfiguration: what is changed in the shipped configuration, and the faults that must be found. */
export interface Case {
  readonly name: string
  readonly change?: (config: string) => string
  readonly faults: readonly Fault[]
  /** The server behind it; default: one that everybody may use. */
  readonly server?: "protected" | "trusting nobody" | "quiet" | "for all pages" | "empty"
  /** The path of the URL; default: none. */
  readonly path?: string
  /** How long an idle stream is watched, in milliseconds; default 12,000. */
  readonly idleMs?: number
  /** What cannot be judged. Default: nothing, or, if there are faults, anything. */
  readonly unknown?: readonly string[]
  /** The time of this machine's clock; default: the right time. */
  readonly now?: () => number
}
