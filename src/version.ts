/** The product's version, kept in one place: `deno.json`. */

import config from "../deno.json" with { type: "json" };

/** The version in semantic form, for example "0.1.0". */
export const version: string = config.version;
