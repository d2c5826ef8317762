import { writeFileSync } from "node:fs"
import { join } from "node:path"

/** A certificate and its key, as files. */
export interface Certificate {
  readonly file: string
  readonly key: string
}

function openssl(...args: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["openssl", ...args], { stdin: "ignore" })
  if (exitCode !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr.toString()}`)
}

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"] as const

/** Our own authority, which signs certificates. */
export class Authority {
  readonly #folder: string
  /** Its own certificate, for clients that trust it. */
  readonly file: string

  /** `folder` is where all files are put. */
  constructor(folder: string) {
    this.#folder = folder
    this.file = join(folder, "authority.pem")
    openssl(
      "req",
      "-x509",
      ...KEY,
      "-keyout",
      join(folder, "authority.key"),
      "-out",
      this.file,
      "-subj",
      "/CN=test",
    )
  }

  /** A certificate for a host name, valid for this many days. */
  sign(name: string, days: number): Certificate {
    const path = (extension: string): string => join(this.#folder, `${name}-${days}.${extension}`)
    const [file, key, asked, about] = [path("pem"), path("key"), path("csr"), path("ext")]
    openssl("req", ...KEY, "-keyout", key, "-out", asked, "-subj", `/CN=${name}`)
    writeFileSync(about, `subjectAltName=DNS:${name}`)
    const by = ["-CA", this.file, "-CAkey", join(this.#folder, "authority.key"), "-CAcreateserial"]
    openssl("x509", "-req", "-in", asked, "-out", file, "-extfile", about, "-days", String(days), ...by)
    return { file, key }
  }
}
