import { nodeCrypto } from "../lazy-node.ts"

/** Whether a client asks for the digest of the answer's content (RFC 9530); a preference of 0 stands for one it does not want. */
export const wantsDigest = (request: Request): boolean =>
  /\bsha-256\b(?!\s*=\s*0)/.test(request.headers.get("want-content-digest") ?? "")

/** The header with the digest of a text, by which its reader sees whether it arrived as it was sent. */
export const digestOf = (text: string): string =>
  `sha-256=:${nodeCrypto().createHash("sha256").update(text).digest("base64")}:`
