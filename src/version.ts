import { version as packageVersion } from "../package.json"

declare const BUILD_COMMIT: string | undefined

/** As in package.json. */
export const version: string = packageVersion

/** The commit the binary was built from, or "source". */
export const commit: string = typeof BUILD_COMMIT === "string" ? BUILD_COMMIT : "source"
