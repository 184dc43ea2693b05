/** Names of resources, and of the sockets at which kubelet finds them. */

import { K8slanError } from "../base/errors.ts";

/** What our sockets in kubelet's folder begin with. */
const SOCKET_PREFIX = "k8slan-";
const SOCKET_SUFFIX = ".sock";
const RESOURCE = /^[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?\/([a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?)$/;

/**
 * The file name of the socket of `resource` ("macvtap.k8slan.io/pod1"). Throws K8slanError
 * "BadResourceName" for a name that could lead out of the folder, or that kubelet would refuse.
 */
export function socketName(resource: string): string {
  const name = RESOURCE.exec(resource)?.[2];
  if (name === undefined) {
    throw new K8slanError(
      "BadResourceName",
      `Resource ${JSON.stringify(resource)} is not "domain/name" of lower-case letters, digits, ` +
        `"-" and "."`,
    );
  }
  return `${SOCKET_PREFIX}${name}${SOCKET_SUFFIX}`;
}

/** Whether a file in kubelet's folder can only be a socket of ours. */
export function isOurSocketName(fileName: string): boolean {
  const name = fileName.replace(/^\./, ""); // hidden until it listens
  return name.startsWith(SOCKET_PREFIX) && name.endsWith(SOCKET_SUFFIX);
}
