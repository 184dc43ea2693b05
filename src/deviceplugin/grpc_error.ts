/** How calls of gRPC fail. */

import { K8slanError } from "../base/errors.ts";

/** By number, as in https://grpc.io/docs/guides/status-codes. */
const STATUSES = [
  "Ok",
  "Cancelled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
] as const;

export type GrpcStatus = typeof STATUSES[number];

const RETRIABLE: readonly GrpcStatus[] = [
  "DeadlineExceeded",
  "ResourceExhausted",
  "Aborted",
  "Unavailable",
];

/** A call that failed; `code` is its status. */
export class GrpcError extends K8slanError {
  declare readonly code: GrpcStatus;

  constructor(code: GrpcStatus, message: string, options: { readonly cause?: unknown } = {}) {
    super(code, message, { ...options, retriable: RETRIABLE.includes(code) });
    this.name = "GrpcError";
  }
}

/** The status with this number on the wire; numbers that nobody has given a meaning are Unknown. */
export function grpcStatus(number: number): GrpcStatus {
  return STATUSES[number] ?? "Unknown";
}

/** The number on the wire. */
export function grpcStatusNumber(status: GrpcStatus): number {
  return STATUSES.indexOf(status);
}
