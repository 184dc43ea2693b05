/** Failures of netlink requests. */

import { errnoName } from "../base/errno.ts";

/** The kernel refused a request. */
export class NetlinkError extends Error {
  /** Positive errno. */
  readonly errno: number;
  /** "EEXIST" etc. */
  readonly errnoName: string;
  /** The kernel's own words (extended acknowledgement), if it gave any. */
  readonly kernelText: string | undefined;
  /** Which of the requests sent together it was. */
  readonly requestIndex: number;

  constructor(summary: string, errno: number, kernelText: string | undefined, requestIndex = 0) {
    const name = errnoName(errno);
    super(`Cannot ${summary}: ${name}${kernelText ? ` (${kernelText})` : ""}`);
    this.name = "NetlinkError";
    this.errno = errno;
    this.errnoName = name;
    this.kernelText = kernelText;
    this.requestIndex = requestIndex;
  }
}
